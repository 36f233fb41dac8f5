import type { Alive, PeerRecord, Remote } from '../model/peer.ts';
import type { EventSink, PeerStatus } from '../model/status.ts';
import type { Vni } from '../model/vni.ts';
import type { Clock } from '../service/clock.ts';
import { parseAlive } from './alive.ts';
import { ChangeSignal } from './change-signal.ts';
import { type Duplicate, DuplicateWatch, type OwnMacs } from './duplicates.ts';
import { Floors, type FloorStore } from './floors.ts';
import { type Claim, winners } from './mobility.ts';
import { compareStamps } from './order.ts';
import { Owner } from './owner.ts';
import { PeerEvents } from './peer-events.ts';
import { digestOfBytes, parseRecord, type RecordAddress } from './record.ts';

/** What the directory keeps over a restart; a write that throws is the caller's to see. */
export interface PeerStore extends FloorStore {
  loadRecords(): readonly PeerRecord[];
  /** keeps the record in place of any other of the same VNI and gateway */
  saveRecord(record: PeerRecord): void;
  removeRecord(vni: number, gw: string): void;
  loadAlives(): readonly Alive[];
  /** keeps the newest manifest in place of the gateway's older one */
  saveAlive(alive: Alive): void;
}

export type DirectoryOptions = {
  readonly fleet: string;
  readonly gateway: string;
  readonly store: PeerStore;
  readonly clock: Clock;
  readonly onEvent: EventSink;
};

/** What became of a message. `own`: about this gateway; `full`: the directory takes no further owners. */
export type Outcome = 'accepted' | 'stale' | 'own' | 'invalid' | 'erased' | 'full';

const recordKey = (vni: number, gw: string): string => `vni/${vni}/gw/${gw}`;
const aliveKey = (gw: string): string => `gw/${gw}/alive`;

/**
 * What the fleet's other gateways say about themselves. Takes payloads as they come (old, twice, out of order, forged)
 * and holds, per gateway and VNI, the newest record unless a newer manifest no longer lists it.
 */
export class PeerDirectory {
  readonly #options: DirectoryOptions;
  readonly #owners = new Map<string, Owner>();
  readonly #floors: Floors;
  readonly #events: PeerEvents;
  readonly #duplicates = new DuplicateWatch();
  readonly #signal = new ChangeSignal();
  #own: OwnMacs = new Map();
  #ownText = '[]';

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#floors = new Floors(options.store);
    this.#events = new PeerEvents(options.onEvent);
    this.#load();
  }

  /** Takes the payload of a record's topic. */
  receiveRecord(address: RecordAddress, payload: Uint8Array): Outcome {
    const { vni, gw } = address;
    if (gw === this.#options.gateway) return 'own';
    const key = recordKey(vni, gw);
    if (payload.length === 0) return this.#erased(key, this.#owners.get(gw)?.records.has(vni) ?? false);
    const parsed = parseRecord(payload, { ...address, fleet: this.#options.fleet });
    if (!parsed.ok) return this.#refused(key, parsed.reason);
    if (this.#floors.isFull(key)) return 'full';
    const record = parsed.value;
    const owner = this.#owner(gw);
    if (!this.#isNews(owner, record, digestOfBytes(payload))) return 'stale';
    this.#events.accepted(key);
    owner.lastSeen = this.#options.clock.monotonic();
    if (owner.withdraws(record)) this.#withdraw(owner, vni);
    else this.#hold(owner, record);
    this.#floors.raise(key, record);
    return 'accepted';
  }

  /** Takes the payload of gateway `gw`'s alive topic. */
  receiveAlive(gw: string, payload: Uint8Array): Outcome {
    if (gw === this.#options.gateway) return 'own';
    const key = aliveKey(gw);
    if (payload.length === 0) return this.#erased(key, this.#owners.has(gw));
    const parsed = parseAlive(payload, gw);
    if (!parsed.ok) return this.#refused(key, parsed.reason);
    if (this.#floors.isFull(key)) return 'full';
    const owner = this.#owner(gw);
    if (!owner.isNews(parsed.value)) return 'stale';
    this.#events.accepted(key);
    this.#take(owner, parsed.value);
    this.#floors.raise(key, owner.alive);
    return 'accepted';
  }

  /** The other gateways in a VNI with the MACs that are theirs; a MAC claimed twice is with the better claim only. */
  remotes(vni: Vni): readonly Remote[] {
    const members = [...this.#owners.values()].flatMap((owner) => {
      const record = owner.records.get(vni);
      return record === undefined ? [] : [{ owner, record }];
    });
    const claims = members.flatMap(({ owner: { gw: gateway, isAlive: alive }, record }) =>
      record.macs.filter(({ m }) => !this.#duplicates.isOwn(vni, m)).map((entry): Claim => ({ gateway, alive, entry })),
    );
    const won = winners([...this.#ownClaims(vni), ...claims]);
    return members.flatMap(({ owner, record }): Remote[] => {
      const [vtep] = record.vtep;
      const macs = record.macs.filter((entry) => won.get(entry.m)?.entry === entry);
      return vtep ? [{ gateway: record.gw, vtep, macs, ...(owner.isAway && { away: true }) }] : [];
    });
  }

  /** Every gateway that holds a record or is not known to have left. */
  peers(): readonly PeerStatus[] {
    const now = this.#options.clock.monotonic();
    return [...this.#owners.values()].filter((owner) => owner.isKnown).map((owner) => owner.status(now));
  }

  /** Records that a manifest lists and we do not hold in that version, in the VNIs given: to be asked for again. */
  missing(vnis: ReadonlySet<Vni>): readonly { readonly vni: Vni; readonly gw: string }[] {
    return [...this.#owners.values()].flatMap((owner) =>
      [...vnis].filter((vni) => owner.lacks(vni)).map((vni) => ({ vni, gw: owner.gw })),
    );
  }

  /**
   * This gateway's own MACs with their addresses. A peer that claims a workload's is not believed; a device's is where the
   * better claim is.
   */
  setOwnMacs(own: OwnMacs): void {
    // Told after every cycle: only a difference is a change, or each cycle would wake the next.
    const text = JSON.stringify([...own]);
    if (text === this.#ownText) return;
    this.#ownText = text;
    this.#own = own;
    this.#duplicates.setOwn(own);
    for (const { gw, records } of this.#owners.values()) {
      for (const record of records.values()) this.#duplicates.check(recordKey(record.vni, gw), record);
    }
    this.#signal.changed();
  }

  /** Our own MACs and addresses that peers claim too: neither side's workload is surely reached while that lasts. */
  duplicates(): readonly Duplicate[] {
    return this.#duplicates.all();
  }

  /** Calls `listener` once after each burst of changes; returns the way to stop that. */
  onChange(listener: () => void): () => void {
    return this.#signal.listen(listener);
  }

  /** To what may move. */
  #ownClaims(vni: Vni): readonly Claim[] {
    const { gateway } = this.#options;
    const devices = (this.#own.get(vni) ?? []).filter(({ s }) => s === 0);
    return devices.map((entry) => ({ gateway, alive: true, entry }));
  }

  #load(): void {
    const { store, gateway } = this.#options;
    // Under a former name of this gateway, what is its own again now may have been stored as a peer's.
    const others = <T extends { readonly gw: string }>(items: readonly T[]): readonly T[] =>
      items.filter(({ gw }) => gw !== gateway);
    for (const alive of others(store.loadAlives())) {
      const owner = this.#owner(alive.gw);
      owner.manifest = alive;
      owner.sawAlive(alive);
    }
    for (const record of others(store.loadRecords())) {
      this.#owner(record.gw).records.set(record.vni, record);
      this.#floors.restore(recordKey(record.vni, record.gw), record);
    }
  }

  #isNews(owner: Owner, record: PeerRecord, digest: string): boolean {
    const order = compareStamps(record, this.#floors.of(recordKey(record.vni, record.gw)));
    if (order !== 0 || owner.records.has(record.vni)) return order > 0;
    // seen before and lost since: only the owner's manifest can say that exactly this one still holds
    return owner.lists(record, digest);
  }

  #hold(owner: Owner, record: PeerRecord): void {
    this.#options.store.saveRecord(record);
    owner.records.set(record.vni, record);
    this.#duplicates.check(recordKey(record.vni, owner.gw), record);
    this.#signal.changed();
  }

  #withdraw(owner: Owner, vni: Vni): void {
    if (!owner.records.delete(vni)) return;
    this.#options.store.removeRecord(vni, owner.gw);
    this.#duplicates.check(recordKey(vni, owner.gw), undefined);
    this.#signal.changed();
  }

  #take(owner: Owner, alive: Alive): void {
    const [wasAlive, wasAway] = [owner.isAlive, owner.isAway];
    owner.sawAlive(alive);
    owner.lastSeen = this.#options.clock.monotonic();
    // a control service that is gone is no proof that its datapath is gone: its records stay
    if (alive.state !== 'down') this.#takeManifest(owner, alive);
    if (wasAlive !== owner.isAlive || wasAway !== owner.isAway) this.#signal.changed();
    if (wasAlive === owner.isAlive) return;
    this.#events.state(owner.gw, alive.state);
  }

  #takeManifest(owner: Owner, manifest: Alive): void {
    this.#options.store.saveAlive(manifest);
    owner.manifest = manifest;
    for (const record of owner.records.values()) if (owner.withdraws(record)) this.#withdraw(owner, record.vni);
  }

  // an empty retained message is all that an operator's slip or an attacker needs to send, so it removes nothing
  #erased(key: string, held: boolean): Outcome {
    if (held) this.#events.erased(key);
    return 'erased';
  }

  #refused(key: string, reason: string): Outcome {
    this.#events.refused(key, reason);
    return 'invalid';
  }

  #owner(gw: string): Owner {
    const owner = this.#owners.get(gw) ?? new Owner(gw, this.#floors.of(aliveKey(gw)));
    this.#owners.set(gw, owner);
    return owner;
  }
}
