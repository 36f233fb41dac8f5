import type { Alive, PeerRecord, Vtep } from '../model/peer.ts';
import type { Vni } from '../model/vni.ts';
import { leaseEnd } from './lease.ts';
import { compareStamps, later, NEVER, type Stamp } from './order.ts';
import type { PulseState } from './liveness/pulse.ts';
import { Table } from './table.ts';

/** Whoever does not answer is asked every ten seconds: at least once while it was there all the time. */
const SURE_MS = 12_000;

/** A retained message that is missing: page 0 is the VNI's record. */
export type Missing = { readonly vni: Vni; readonly gw: string; readonly page: number };

/** What one of the other gateways says about itself, as far as it holds. Stores nothing and tells nobody. */
export class Owner {
  readonly gw: string;
  /** whole tables: each with the MACs of all its pages */
  readonly records = new Map<Vni, PeerRecord>();
  readonly #tables = new Map<Vni, Table>();
  /** the newest alive that said `up` or `leaving` */
  manifest: Alive | undefined;
  /** monotonic milliseconds; undefined: not since the start */
  lastSeen: number | undefined;
  /** that its VTEP answers no probe is told already */
  isDown = false;
  /** since when VXLAN does not get there though its gateway is on the broker, monotonic milliseconds; and that it is told already */
  silentSince: number | undefined;
  isSilent = false;
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

  /** Whether it holds a record: of one that shares no VNI with us nobody tells us when it goes. */
  get isKnown(): boolean {
    return this.records.size > 0;
  }

  /** Where it is, by the first of its records; of one without, by its manifest. */
  get vtep(): Vtep | undefined {
    const [record] = this.records.values();
    return record?.vtep[0] ?? this.manifest?.vteps[0];
  }

  /** The table of that VNI that is being put together. */
  table(vni: Vni): Table {
    const table = this.#tables.get(vni) ?? new Table();
    this.#tables.set(vni, table);
    return table;
  }

  hasTable(vni: Vni): boolean {
    return this.#tables.has(vni);
  }

  /** The newest base record of that VNI here, whether or not its pages are. */
  newest(vni: Vni): Stamp {
    return this.#tables.get(vni)?.pending ?? this.records.get(vni) ?? NEVER;
  }

  /** Forgets what is held in that VNI, and what is being put together unless the manifest leaves that standing. */
  drop(vni: Vni): void {
    this.records.delete(vni);
    const pending = this.#tables.get(vni)?.pending;
    if (pending === undefined || this.withdraws(pending)) this.#tables.delete(vni);
  }

  /** Forgets all of that VNI: what it said of it is not to be believed. */
  forget(vni: Vni): void {
    this.records.delete(vni);
    this.#tables.delete(vni);
  }

  /** Base records whose pages are not all here. */
  get pending(): readonly PeerRecord[] {
    return [...this.#tables.values()].flatMap(({ pending }) => pending ?? []);
  }

  /** Whether it has or may have to do with that VNI: so that what it says of itself concerns whoever is in it. */
  isIn(vni: Vni): boolean {
    return this.#tables.has(vni) || this.records.has(vni) || Object.hasOwn(this.manifest?.vnis ?? {}, String(vni));
  }

  /** Whether nobody has said for the record's lease that it holds. @param now seconds since 1970 */
  isExpired(record: PeerRecord, now: number): boolean {
    return leaseEnd(record, this.manifest) < now;
  }

  /**
   * What is to be told of VXLAN's way there, if anything: it has been silent for long enough to be sure, or is no more.
   * @param tunnel what its probes say; undefined: there are none
   * @param isThere whether its gateway is on the broker, and not taken for dead
   */
  lookAtTunnel(tunnel: PulseState | undefined, isThere: boolean, now: number): 'silent' | 'answers' | undefined {
    const isMissed = tunnel === 'down' || tunnel === 'unprobed';
    this.silentSince = isMissed && isThere ? (this.silentSince ?? now) : undefined;
    if (this.isSilent && (tunnel === 'up' || tunnel === undefined)) {
      this.isSilent = false;
      return tunnel && 'answers';
    }
    if (this.isSilent || this.silentSince === undefined || now - this.silentSince < SURE_MS) return undefined;
    this.isSilent = true;
    return 'silent';
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

  /** What the manifest and the newest base record of that VNI list and is not here. */
  missing(vni: Vni): readonly Missing[] {
    const pages = this.#lacks(vni) ? [0] : (this.#tables.get(vni)?.missing() ?? []);
    return pages.map((page) => ({ vni, gw: this.gw, page }));
  }

  #lacks(vni: Vni): boolean {
    const { manifest } = this;
    const seq = manifest?.vnis[String(vni)]?.[0];
    if (manifest === undefined || seq === undefined) return false;
    return compareStamps(this.newest(vni), { epoch: manifest.epoch, seq }) < 0;
  }
}
