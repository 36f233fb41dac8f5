import type { BridgeEntry } from '../../../src/host/bridge-fdb.ts';
import type { ObservedLink } from '../../../src/host/links.ts';
import type { Step } from '../../../src/reconcile/plan.ts';

/** The forwarding tables of a host's bridges, as the kernel keeps them. */
export class Bridges {
  readonly #tables = new Map<string, readonly BridgeEntry[]>();

  /** Those whose ports are there. */
  tables(links: readonly ObservedLink[]): ReadonlyMap<string, readonly BridgeEntry[]> {
    const isThere = ({ port }: BridgeEntry): boolean => links.some(({ name }) => name === port);
    return new Map([...this.#tables].map(([bridge, entries]) => [bridge, entries.filter((entry) => isThere(entry))]));
  }

  /** A frame of that MAC has come in by the bridge's port. */
  learn(bridge: string, mac: string, port: string): void {
    const others = (this.#tables.get(bridge) ?? []).filter((entry) => entry.mac !== mac);
    others.push({ mac, port, sticky: false, origin: 'learned' });
    this.#tables.set(bridge, others);
  }

  /** What was learned has aged. */
  forget(bridge: string): void {
    const kept = (this.#tables.get(bridge) ?? []).filter(({ origin }) => origin !== 'learned');
    this.#tables.set(bridge, kept);
  }

  sync({ bridge, add, remove }: Extract<Step, { kind: 'bridge.sync' }>, links: readonly ObservedLink[]): void {
    const removed = new Set(remove.map(({ mac, port }) => `${mac} ${port}`));
    const added = add.map((row): BridgeEntry => {
      const port = links.find(({ name }) => name === row.port);
      if (row.port !== bridge && port?.master !== bridge) throw new Error(`${row.port} is no port of ${bridge}`);
      return { ...row, origin: row.port === bridge ? 'own' : 'told' };
    });
    const macs = new Set(added.map(({ mac }) => mac));
    const kept = (this.#tables.get(bridge) ?? []).filter(
      ({ mac, port }) => !removed.has(`${mac} ${port}`) && !macs.has(mac),
    );
    this.#tables.set(bridge, [...kept, ...added]);
  }
}

/** Its one receive handler belongs to the bridge, or to its children. @throws where the kernel would refuse it */
export function refuseToJoin(port: ObservedLink, bridge: ObservedLink, all: readonly ObservedLink[]): void {
  const child = all.find(({ kind, parent }) => ['macvlan', 'ipvlan'].includes(kind) && parent === port.index);
  if (child !== undefined) throw new Error(`EBUSY: ${port.name} has ${child.name}`);
  if (port.master !== undefined && port.master !== bridge.name) throw new Error(`EBUSY: ${port.name} has a master`);
}
