import type { Mac } from '../model/mac.ts';
import { type MacEntry, SEQUENCE_MAX } from '../model/peer.ts';
import type { Vni } from '../model/vni.ts';
import type { Clock } from '../service/clock.ts';
import { Moves } from './moves.ts';
import { Pace } from './pace.ts';

/** What a cycle saw of one stretched network. */
export type Sighting = {
  readonly vni: Vni;
  /** MACs that the bridge has learned from the plant's frames */
  readonly seen: readonly Mac[];
  /** what the peers say they have, by their records */
  readonly remote: readonly MacEntry[];
};

/** A MAC here that is not published, and why. */
export type Unclaimed = { readonly vni: Vni; readonly mac: Mac; readonly why: 'workload' | 'moves' | 'full' };

/** In each VNI: more than stand on one plant VLAN, and six pages (`peers/paging.ts`) for each peer to read. */
export const DEVICES_MAX = 1024;

/**
 * Which MACs of devices behind its uplinks this gateway tells its peers, with EVPN's mobility sequence numbers. Only the
 * set is told, not when a device spoke last: so a device that talks is published once, and withdrawn when the bridge
 * has forgotten it.
 */
export class DeviceClaims {
  readonly #pace: Pace;
  readonly #moves: Moves;
  #claims: ReadonlyMap<Vni, ReadonlyMap<Mac, MacEntry>> = new Map();
  #unclaimed: Unclaimed[] = [];
  /** MACs of ours that a peer has by a better claim, with that claim's sequence number: the bridge is told to let go of them */
  #yielded: ReadonlyMap<string, number> = new Map();

  constructor(clock: Clock) {
    this.#pace = new Pace(clock);
    this.#moves = new Moves(clock);
  }

  get macs(): ReadonlyMap<Vni, readonly Mac[]> {
    return new Map([...this.#claims].map(([vni, held]) => [vni, [...held.keys()]]));
  }

  /** Those that are here and not published. */
  get unclaimed(): readonly Unclaimed[] {
    return this.#unclaimed;
  }

  /** Whether the latest cycle left this MAC to a peer: if it is heard here now, it has not gone. */
  yields(vni: Vni, mac: Mac): boolean {
    return this.#yielded.has(moveKey(vni, mac));
  }

  entries(vni: Vni): readonly MacEntry[] {
    return [...(this.#claims.get(vni)?.values() ?? [])];
  }

  /**
   * Takes what a cycle saw; what is in none of it is withdrawn. Where devices come and go without an end, a later cycle's
   * is taken instead; networks always come and go at once.
   */
  update(sightings: readonly Sighting[]): void {
    const [before, now] = [[...this.#claims.keys()], sightings.map(({ vni }) => vni)];
    const paced = this.#pace.admits(JSON.stringify(sightings.map(({ vni, seen }) => [vni, seen.toSorted()])));
    if (!paced && before.join() === now.join()) return;
    this.#moves.prune();
    const displaced = sightings.flatMap((sighting) => this.#displaced(sighting));
    this.#unclaimed = [];
    const yielded = new Map(sightings.flatMap((sighting) => this.#taken(sighting)));
    this.#claims = new Map(sightings.map((sighting) => [sighting.vni, this.#claim(sighting, yielded)]));
    this.#yielded = yielded;
    this.#unclaimed.push(...displaced);
  }

  /** Takes a device's MAC that was found twice as found once again, at the next cycle; whether it was found twice. */
  clear(vni: Vni, mac: Mac): boolean {
    return this.#moves.clear(moveKey(vni, mac));
  }

  /** Devices whose MAC a workload elsewhere has come to have: their frames are learned no more, though they may go on. */
  #displaced({ vni, seen, remote }: Sighting): readonly Unclaimed[] {
    const here = new Set(seen);
    const known = new Set(this.#claims.get(vni)?.keys());
    for (const one of this.#unclaimed) if (one.vni === vni && one.why === 'workload') known.add(one.mac);
    const taken = remote.filter(({ m, s }) => s === 1 && known.has(m) && !here.has(m));
    return taken.map(({ m: mac }) => ({ vni, mac, why: 'workload' }));
  }

  /** What is here and published, and a peer's by now; not those that were before this cycle already, and are here again. */
  #taken({ vni, seen, remote }: Sighting): readonly (readonly [string, number])[] {
    const [here, known] = [new Set(seen), this.#claims.get(vni)];
    return remote.flatMap(({ m, q, s }) => {
      const key = moveKey(vni, m);
      return s === 0 && here.has(m) && known?.has(m) && this.#yielded.get(key) !== q ? [[key, q] as const] : [];
    });
  }

  #claim({ vni, seen, remote }: Sighting, yielded: ReadonlyMap<string, number>): ReadonlyMap<Mac, MacEntry> {
    const before = this.#claims.get(vni);
    const elsewhere = new Map(remote.map((entry) => [entry.m, entry]));
    const claims = new Map<Mac, MacEntry>();
    // Those that are published already come first: who is full takes no further ones.
    const isNew = (mac: Mac): number => (before?.has(mac) ? 0 : 1);
    for (const mac of seen.toSorted((a, b) => isNew(a) - isNew(b) || (a < b ? -1 : 1))) {
      const isBack = this.yields(vni, mac) && elsewhere.has(mac) && !yielded.has(moveKey(vni, mac));
      const known = isBack ? undefined : before?.get(mac);
      const entry = known ?? this.#arrived(vni, mac, elsewhere.get(mac), claims.size);
      if (typeof entry === 'object') claims.set(mac, entry);
      else this.#unclaimed.push({ vni, mac, why: entry });
    }
    return new Map([...claims].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  /**
   * One that a peer has published has moved here, or had not gone: it takes the next sequence number (RFC 7432 section 15). Of a peer that
   * has taken the highest the claim is as good as ours, since a record with a higher one would be refused by all.
   */
  #arrived(vni: Vni, m: Mac, elsewhere: MacEntry | undefined, count: number): MacEntry | Unclaimed['why'] {
    if (count >= DEVICES_MAX) return 'full';
    // a duplicate that the other gateway has left alone too must not come back at once as if it were new
    if (this.#moves.isFrozen(moveKey(vni, m))) return 'moves';
    if (elsewhere === undefined) return { m, ip: [], q: 0, s: 0 };
    if (elsewhere.s === 1) return 'workload';
    if (!this.#moves.count(moveKey(vni, m))) return 'moves';
    return { m, ip: [], q: Math.min(SEQUENCE_MAX, elsewhere.q + 1), s: 0 };
  }
}

function moveKey(vni: Vni, mac: Mac): string {
  return `${vni} ${mac}`;
}
