import type { NetlinkMessage } from '../packet/netlink-read.ts';
import { type BridgeFdbMessage, readBridgeEntry } from '../packet/rtnetlink/bridge-fdb.ts';
import { fdbDump } from '../packet/rtnetlink/fdb.ts';
import type { ObservedLink } from './links.ts';
import { ask } from './netlink.ts';
import { run } from './run.ts';

/** Which port of a bridge a MAC is behind; the bridge's own name stands for what hangs on the bridge itself. */
export type BridgeRow = {
  readonly mac: string;
  readonly port: string;
  /** no frame from elsewhere moves it */
  readonly sticky: boolean;
};

export type BridgeEntry = BridgeRow & {
  /** `own`: of the bridge itself or of a port; `told`: by us, until we take it away; `learned`: by its frames, until it ages */
  readonly origin: 'own' | 'told' | 'learned';
};

type Device = Pick<ObservedLink, 'index' | 'name'>;

/** The forwarding tables of these bridges, by name; `links` are all of the namespace. */
export async function readBridges(
  bridges: readonly Device[],
  links: readonly (Device & Pick<ObservedLink, 'master'>)[],
): Promise<ReadonlyMap<string, readonly BridgeEntry[]>> {
  const tables = bridges.map(({ name }) => links.filter((link) => link.name === name || link.master === name));
  const entries = await readEntries(tables.flat());
  const ofBridge = (at: number): BridgeEntry[] => (tables[at] ?? []).flatMap(({ name }) => entries.get(name) ?? []);
  return new Map(bridges.map(({ name }, at) => [name, ofBridge(at)]));
}

/** What bridges have in their tables of each of these ports, by name. The kernel tells it by port only (br_fdb_dump). */
export async function readEntries(ports: readonly Device[]): Promise<ReadonlyMap<string, readonly BridgeEntry[]>> {
  if (ports.length === 0) return new Map();
  const answers = await ask(ports.map(({ index }) => fdbDump(index)));
  return new Map(ports.map((port, at) => [port.name, entriesOf(answers[at] ?? [], port)]));
}

function entriesOf(answer: readonly NetlinkMessage[], { index, name }: Device): readonly BridgeEntry[] {
  return answer
    .flatMap((message) => readBridgeEntry(message) ?? [])
    .filter((entry) => entry.index === index)
    .map((entry) => ({ mac: entry.mac, port: name, sticky: entry.sticky, origin: originOf(entry) }));
}

function originOf({ permanent, told, sticky }: BridgeFdbMessage): BridgeEntry['origin'] {
  if (permanent) return 'own';
  return told || sticky ? 'told' : 'learned';
}

/**
 * Writes and deletes entries of a bridge's table. `extern_learn`: such an entry does not age, and gives way to the first
 * frame that a device of that MAC sends from another port; `sticky` to none. What is gone already is what was wanted.
 */
export async function syncBridge(
  bridge: string,
  add: readonly BridgeRow[],
  remove: readonly BridgeRow[],
): Promise<void> {
  const lines = [
    ...remove.map(({ mac, port }) => `fdb del ${mac} dev ${port} ${port === bridge ? 'self' : 'master'}`),
    ...add.map(
      (row) => `fdb replace ${row.mac} dev ${row.port} ${row.port === bridge ? 'self permanent' : kindOf(row)}`,
    ),
  ];
  if (lines.length > 0) await run(['bridge', '-force', '-batch', '-'], `${lines.join('\n')}\n`);
}

function kindOf({ sticky }: BridgeRow): string {
  return sticky ? 'master static sticky' : 'master extern_learn';
}
