import type { Alive, PeerRecord } from '../model/peer.ts';
import type { PeerStatus } from '../model/status.ts';
import type { Vni } from '../model/vni.ts';
import { compareStamps, later, NEVER, type Stamp } from './order.ts';

/** What one of the other gateways says about itself, as far as it holds. Stores nothing and tells nobody. */
export class Owner {
  readonly gw: string;
  readonly records = new Map<Vni, PeerRecord>();
  /** the newest alive that said `up` or `leaving` */
  manifest: Alive | undefined;
  /** monotonic milliseconds; undefined: not since the start */
  lastSeen: number | undefined;
  /** the newest alive of any state; newer than the manifest means: dead since */
  #alive: Stamp;

  constructor(gw: string, alive: Stamp) {
    this.gw = gw;
    this.#alive = alive;
  }

  get alive(): Stamp {
    return this.#alive;
  }

  /** On the broker, as far as anybody has said. */
  get isAlive(): boolean {
    return this.manifest?.state === 'up' && compareStamps(this.#alive, this.manifest) === 0;
  }

  /** It has said that it goes, or its will has. */
  get isAway(): boolean {
    return !this.isAlive && this.#alive !== NEVER;
  }

  /** Whether it holds a record or is not known to have left. */
  get isKnown(): boolean {
    return this.records.size > 0 || this.manifest?.state === 'up';
  }

  sawAlive(stamp: Stamp): void {
    this.#alive = later(this.#alive, stamp);
  }

  /**
   * A will orders after its connection's manifests and may still arrive before one of them: such a manifest still says
   * which records hold, though no longer that its owner lives.
   */
  isNews(alive: Alive): boolean {
    if (compareStamps(alive, this.#alive) > 0) return true;
    return alive.state !== 'down' && compareStamps(alive, this.manifest ?? NEVER) > 0;
  }

  /** Whether the manifest lists exactly this record. */
  lists({ vni, epoch, seq }: PeerRecord, digest: string): boolean {
    const listed = this.manifest?.epoch === epoch ? this.manifest.vnis[String(vni)] : undefined;
    return listed?.[0] === seq && listed[1] === digest;
  }

  /** Whether the manifest is newer than the record and no longer lists its VNI. */
  withdraws(record: PeerRecord): boolean {
    const { manifest } = this;
    if (manifest === undefined || compareStamps(manifest, record) <= 0) return false;
    return !Object.hasOwn(manifest.vnis, String(record.vni));
  }

  /** Whether the manifest lists a newer record of that VNI than is held. */
  lacks(vni: Vni): boolean {
    const { manifest, records } = this;
    const seq = manifest?.vnis[String(vni)]?.[0];
    if (manifest === undefined || seq === undefined) return false;
    return compareStamps(records.get(vni) ?? NEVER, { epoch: manifest.epoch, seq }) < 0;
  }

  /** @param now in monotonic milliseconds */
  status(now: number): PeerStatus {
    const [record] = this.records.values();
    const vtep = record?.vtep[0] ?? this.manifest?.vteps[0];
    return {
      gateway: this.gw,
      vtep: vtep?.ip ?? '',
      vnis: [...this.records.keys()].sort((a, b) => a - b),
      state: this.isAway ? 'suspect' : 'up',
      rtt_ms: null,
      path_mtu: null,
      last_seen_s: this.lastSeen === undefined ? null : Math.round((now - this.lastSeen) / 1000),
    };
  }
}
