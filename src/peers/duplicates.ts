import type { Mac } from '../model/mac.ts';
import type { MacEntry, PeerRecord } from '../model/peer.ts';
import type { Vni } from '../model/vni.ts';

/** This gateway's own MACs with their addresses, per VNI. */
export type OwnMacs = ReadonlyMap<Vni, readonly MacEntry[]>;

/** What a peer claims for a workload of its own (`mac`) though one of ours has it. */
export type Duplicate = {
  readonly vni: Vni;
  readonly gateway: string;
  /** of the peer's workload */
  readonly mac: Mac;
  /** whether that MAC is one of ours too */
  readonly sameMac: boolean;
  /** addresses of ours that the peer's workload has */
  readonly addresses: readonly string[];
};

/** Compares what peers claim with what we have ourselves. */
export class DuplicateWatch {
  readonly #found = new Map<string, readonly Duplicate[]>();
  #macs: ReadonlyMap<Vni, ReadonlySet<string>> = new Map();
  #addresses: ReadonlyMap<Vni, ReadonlySet<string>> = new Map();

  /** A device's MAC may be elsewhere the next moment, and is no duplicate then: only those of workloads matter. */
  setOwn(all: OwnMacs): void {
    const own = new Map([...all].map(([vni, entries]) => [vni, entries.filter(({ s }) => s === 1)]));
    this.#macs = new Map([...own].map(([vni, entries]) => [vni, new Set(entries.map(({ m }) => m))]));
    this.#addresses = new Map([...own].map(([vni, entries]) => [vni, new Set(entries.flatMap(({ ip }) => ip))]));
  }

  isOwn(vni: Vni, mac: Mac): boolean {
    return this.#macs.get(vni)?.has(mac) ?? false;
  }

  /** Compares a record that is held now under `key`; undefined: nothing is held there any more. */
  check(key: string, record: PeerRecord | undefined): void {
    const found = record?.macs.flatMap((entry) => this.#compare(record, entry)) ?? [];
    if (found.length > 0) this.#found.set(key, found);
    else this.#found.delete(key);
  }

  /** All that stand now. */
  all(): readonly Duplicate[] {
    return [...this.#found.values()].flat();
  }

  #compare({ vni, gw }: PeerRecord, { m: mac, ip }: MacEntry): readonly Duplicate[] {
    const sameMac = this.isOwn(vni, mac);
    const addresses = ip.filter((address) => this.#addresses.get(vni)?.has(address));
    return sameMac || addresses.length > 0 ? [{ vni, gateway: gw, mac, sameMac, addresses }] : [];
  }
}
