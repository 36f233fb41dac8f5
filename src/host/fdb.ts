import type { NetlinkMessage } from '../packet/netlink-read.ts';
import { fdbDump, readFdbEntry } from '../packet/rtnetlink/fdb.ts';
import type { ObservedLink } from './links.ts';
import { ask } from './netlink.ts';
import { run } from './run.ts';

/** An entry of a vxlan device's forwarding table; the all-zero MAC is the flood list (head-end replication). */
export type FdbRow = { readonly mac: string; readonly ip: string; readonly port: number | undefined };

export const FLOOD = '00:00:00:00:00:00';

/**
 * The permanent entries with a remote VTEP, by device, of the vxlan devices of ours: those we made. Learned ones come and
 * go by themselves.
 */
export async function readFdb(links: readonly ObservedLink[]): Promise<ReadonlyMap<string, readonly FdbRow[]>> {
  const devices = links.filter((link) => link.ours && link.kind === 'vxlan');
  const answers = await ask(devices.map(({ index }) => fdbDump(index)));
  return new Map(devices.map(({ name }, at) => [name, rowsOf(answers[at] ?? [])]));
}

function rowsOf(answer: readonly NetlinkMessage[]): readonly FdbRow[] {
  const entries = answer.flatMap((message) => readFdbEntry(message) ?? []);
  return entries.filter(({ permanent }) => permanent).map(({ mac, ip, port }) => ({ mac, ip, port }));
}

function words(row: FdbRow, device: string): string {
  return `${row.mac} dev ${device} dst ${row.ip}${row.port === undefined ? '' : ` port ${row.port}`} self`;
}

/**
 * Brings a device's table from what it holds to what it shall hold. What is new comes first, so that a VTEP that moved
 * is reached at its new place before the old one goes. `-force`: an entry that the kernel refuses must not keep the
 * others from being made.
 */
export async function syncFdb(device: string, add: readonly FdbRow[], remove: readonly FdbRow[]): Promise<void> {
  const replaced = new Set(add.filter((row) => row.mac !== FLOOD).map((row) => row.mac));
  const lines = [
    ...add.map((row) => `fdb ${row.mac === FLOOD ? 'append' : 'replace'} ${words(row, device)} permanent`),
    ...remove.filter((row) => !replaced.has(row.mac)).map((row) => `fdb del ${words(row, device)}`),
  ];
  if (lines.length > 0) await run(['bridge', '-force', '-batch', '-'], `${lines.join('\n')}\n`);
}
