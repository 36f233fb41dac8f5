import type { Mac } from '../model/mac.ts';
import type { PeerRecord } from '../model/peer.ts';
import type { Vni } from '../model/vni.ts';

/** This gateway's own MACs per VNI. */
export type OwnMacs = ReadonlyMap<Vni, ReadonlySet<Mac>>;

/** Tells once about each MAC that a peer claims and we have ourselves, and again only after it was gone. */
export class DuplicateWatch {
  readonly #told = new Map<string, ReadonlySet<Mac>>();
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
    if (now.size > 0) this.#told.set(key, now);
    else this.#told.delete(key);
    if (record) for (const mac of now) if (!before?.has(mac)) this.#tell(mac, record);
  }
}
