import type { Mac } from '../model/mac.ts';
import type { PeerRecord } from '../model/peer.ts';
import type { Vni } from '../model/vni.ts';

/** This gateway's own MACs per VNI. */
export type OwnMacs = ReadonlyMap<Vni, ReadonlySet<Mac>>;

/** A MAC that a peer claims while one of our own workloads has it. */
export type Duplicate = { readonly mac: Mac; readonly vni: Vni; readonly gateway: string };

/** Tells once about each MAC that a peer claims and we have ourselves, and again only after it was gone. */
export class DuplicateWatch {
  readonly #told = new Map<string, { readonly macs: ReadonlySet<Mac>; readonly record: PeerRecord }>();
  readonly #tell: (mac: Mac, record: PeerRecord) => void;
  #own: OwnMacs = new Map();

  constructor(tell: (mac: Mac, record: PeerRecord) => void) {
    this.#tell = tell;
  }

  setOwn(own: OwnMacs): void {
    this.#own = own;
  }

  isOwn(vni: Vni, mac: Mac): boolean {
    return this.#own.get(vni)?.has(mac) ?? false;
  }

  /** Compares a record that is held now under `key`; undefined: nothing is held there any more. */
  check(key: string, record: PeerRecord | undefined): void {
    const before = this.#told.get(key);
    const now = new Set(record?.macs.filter(({ m }) => this.isOwn(record.vni, m)).map(({ m }) => m));
    if (record !== undefined && now.size > 0) this.#told.set(key, { macs: now, record });
    else this.#told.delete(key);
    if (record) for (const mac of now) if (!before?.macs.has(mac)) this.#tell(mac, record);
  }

  /** All that stand now. */
  all(): readonly Duplicate[] {
    return [...this.#told.values()].flatMap(({ macs, record }) =>
      [...macs].map((mac) => ({ mac, vni: record.vni, gateway: record.gw })),
    );
  }
}
