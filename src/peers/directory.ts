import type { Mac } from '../model/mac.ts';
import type { Alive, PeerRecord, Remote } from '../model/peer.ts';
import type { EventSink, PeerStatus } from '../model/status.ts';
import type { Vni } from '../model/vni.ts';
import type { Clock } from '../service/clock.ts';
import { parseAlive } from './alive.ts';
import { type Duplicate, DuplicateWatch, type OwnMacs } from './duplicates.ts';
import { better, type Claim } from './mobility.ts';
import { compareStamps, NEVER, type Stamp } from './order.ts';
import { digestOfBytes, parseRecord, type RecordAddress } from './record.ts';

/** What the directory keeps over a restart; a write that throws is the caller's to see. */
export interface PeerStore {
  loadRecords(): readonly PeerRecord[];
  /** keeps the record in place of any other of the same VNI and gateway */
  saveRecord(record: PeerRecord): void;
  removeRecord(vni: number, gw: string): void;
  loadFloors(): readonly { readonly key: string; readonly epoch: number; readonly seq: number }[];
  saveFloor(key: string, epoch: number, seq: number): void;
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

type Owner = {
  readonly gw: string;
  readonly records: Map<Vni, PeerRecord>;
  /** the newest alive that said `up` or `leaving` */
  manifest: Alive | undefined;
  /** the newest alive of any state; newer than the manifest means: dead since */
  alive: Stamp;
  lastSeen: number | undefined;
};

// a broker that lies must not fill memory and disk with invented gateways
const MAX_FLOORS = 20_000;
const recordKey = (vni: number, gw: string): string => `vni/${vni}/gw/${gw}`;
const aliveKey = (gw: string): string => `gw/${gw}/alive`;
const later = (a: Stamp, b: Stamp): Stamp => (compareStamps(a, b) > 0 ? a : b);

/**
 * What the fleet's other gateways say about themselves. Takes payloads as they come (old, twice, out of order, forged)
 * and holds, per gateway and VNI, the newest record unless a newer manifest no longer lists it.
 */
export class PeerDirectory {
  readonly #options: DirectoryOptions;
  readonly #owners = new Map<string, Owner>();
  readonly #floors = new Map<string, Stamp>();
  readonly #listeners = new Set<() => void>();
  readonly #duplicates = new DuplicateWatch();
  readonly #invalid = new Set<string>();
  readonly #counts: Record<Outcome, number> = { accepted: 0, stale: 0, own: 0, invalid: 0, erased: 0, full: 0 };
  #ownText = '[]';
  #notifying = false;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#load();
  }

  /** Takes the payload of a record's topic. */
  receiveRecord(address: RecordAddress, payload: Uint8Array): Outcome {
    return this.#count(this.#takeRecord(address, payload));
  }

  /** Takes the payload of gateway `gw`'s alive topic. */
  receiveAlive(gw: string, payload: Uint8Array): Outcome {
    return this.#count(this.#takeAlive(gw, payload));
  }

  /** The other gateways in a VNI with the MACs that are theirs; a MAC claimed twice is with the better claim only. */
  remotes(vni: Vni): readonly Remote[] {
    const records = [...this.#owners.values()].flatMap((owner) => owner.records.get(vni) ?? []);
    const winners = this.#winners(records);
    return records.flatMap((record): Remote[] => {
      const [vtep] = record.vtep;
      const macs = record.macs.filter((entry) => winners.get(entry.m)?.entry === entry);
      return vtep ? [{ gateway: record.gw, vtep, macs }] : [];
    });
  }

  /** Every gateway that holds a record or is not known to have left. */
  peers(): readonly PeerStatus[] {
    const known = [...this.#owners.values()].filter(
      (owner) => owner.records.size > 0 || owner.manifest?.state === 'up',
    );
    return known.map((owner) => this.#statusOf(owner));
  }

  /** Records that a manifest lists and we do not hold in that version, in the VNIs given: to be asked for again. */
  missing(vnis: ReadonlySet<Vni>): readonly { readonly vni: Vni; readonly gw: string }[] {
    return [...this.#owners.values()].flatMap((owner) => {
      const { manifest, gw, records } = owner;
      if (!manifest) return [];
      const lacking = (vni: Vni): boolean => {
        const seq = manifest.vnis[String(vni)]?.[0];
        return seq !== undefined && compareStamps(records.get(vni) ?? NEVER, { epoch: manifest.epoch, seq }) < 0;
      };
      return [...vnis].filter((vni) => lacking(vni)).map((vni) => ({ vni, gw }));
    });
  }

  /** Messages received so far, by what became of them. */
  counts(): Readonly<Record<Outcome, number>> {
    return { ...this.#counts };
  }

  /** This gateway's own MACs with their addresses: a peer that claims one of the MACs is not believed. */
  setOwnMacs(own: OwnMacs): void {
    // Told after every cycle: only a difference is a change, or each cycle would wake the next.
    const text = JSON.stringify([...own]);
    if (text === this.#ownText) return;
    this.#ownText = text;
    this.#duplicates.setOwn(own);
    for (const { gw, records } of this.#owners.values()) {
      for (const record of records.values()) this.#duplicates.check(recordKey(record.vni, gw), record);
    }
    this.#changed();
  }

  /** Our own MACs and addresses that peers claim too: neither side's workload is surely reached while that lasts. */
  duplicates(): readonly Duplicate[] {
    return this.#duplicates.all();
  }

  /** Calls `listener` once after each burst of changes; returns the way to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #load(): void {
    const { store, gateway } = this.#options;
    // Under a former name of this gateway, what is its own again now may have been stored as a peer's.
    const others = <T extends { readonly gw: string }>(items: readonly T[]): readonly T[] =>
      items.filter(({ gw }) => gw !== gateway);
    for (const { key, epoch, seq } of store.loadFloors()) this.#floors.set(key, { epoch, seq });
    for (const alive of others(store.loadAlives())) {
      const owner = this.#owner(alive.gw);
      owner.manifest = alive;
      owner.alive = later(alive, this.#floor(aliveKey(alive.gw)));
    }
    for (const record of others(store.loadRecords())) {
      const owner = this.#owner(record.gw);
      owner.records.set(record.vni, record);
      owner.alive = later(owner.alive, this.#floor(aliveKey(record.gw)));
      // the record is written before its floor, so a power cut may leave the floor behind
      const key = recordKey(record.vni, record.gw);
      this.#floors.set(key, later(record, this.#floor(key)));
    }
  }

  #takeRecord(address: RecordAddress, payload: Uint8Array): Outcome {
    const { vni, gw } = address;
    if (gw === this.#options.gateway) return 'own';
    const key = recordKey(vni, gw);
    if (payload.length === 0) return this.#erased(key, this.#owners.get(gw)?.records.has(vni) ?? false);
    const parsed = parseRecord(payload, { ...address, fleet: this.#options.fleet });
    if (!parsed.ok) return this.#refused(key, parsed.reason);
    if (this.#full(key)) return 'full';
    const record = parsed.value;
    const owner = this.#owner(gw);
    if (!this.#isNews(owner, record, digestOfBytes(payload))) return 'stale';
    this.#invalid.delete(key);
    owner.lastSeen = this.#options.clock.monotonic();
    if (withdraws(owner.manifest, record)) this.#withdraw(owner, vni);
    else this.#hold(owner, record);
    this.#raise(key, record);
    return 'accepted';
  }

  #isNews(owner: Owner, record: PeerRecord, digest: string): boolean {
    const order = compareStamps(record, this.#floor(recordKey(record.vni, record.gw)));
    if (order !== 0 || owner.records.has(record.vni)) return order > 0;
    // seen before and lost since: only the owner's manifest can say that exactly this one still holds
    const listed = owner.manifest?.epoch === record.epoch ? owner.manifest.vnis[String(record.vni)] : undefined;
    return listed?.[0] === record.seq && listed[1] === digest;
  }

  #hold(owner: Owner, record: PeerRecord): void {
    this.#options.store.saveRecord(record);
    owner.records.set(record.vni, record);
    this.#duplicates.check(recordKey(record.vni, owner.gw), record);
    this.#changed();
  }

  #withdraw(owner: Owner, vni: Vni): void {
    if (!owner.records.delete(vni)) return;
    this.#options.store.removeRecord(vni, owner.gw);
    this.#duplicates.check(recordKey(vni, owner.gw), undefined);
    this.#changed();
  }

  #takeAlive(gw: string, payload: Uint8Array): Outcome {
    if (gw === this.#options.gateway) return 'own';
    const key = aliveKey(gw);
    if (payload.length === 0) return this.#erased(key, this.#owners.has(gw));
    const parsed = parseAlive(payload, gw);
    if (!parsed.ok) return this.#refused(key, parsed.reason);
    if (this.#full(key)) return 'full';
    const alive = parsed.value;
    const owner = this.#owner(gw);
    if (!isNewAlive(owner, alive)) return 'stale';
    this.#invalid.delete(key);
    this.#take(owner, alive);
    this.#raise(key, owner.alive);
    return 'accepted';
  }

  #take(owner: Owner, alive: Alive): void {
    const before = isAlive(owner);
    owner.alive = later(owner.alive, alive);
    owner.lastSeen = this.#options.clock.monotonic();
    // a control service that is gone is no proof that its datapath is gone: its records stay
    if (alive.state !== 'down') this.#takeManifest(owner, alive);
    if (before !== isAlive(owner)) this.#tellState(owner, alive);
  }

  #takeManifest(owner: Owner, manifest: Alive): void {
    this.#options.store.saveAlive(manifest);
    owner.manifest = manifest;
    for (const record of owner.records.values()) if (withdraws(manifest, record)) this.#withdraw(owner, record.vni);
  }

  #tellState(owner: Owner, alive: Alive): void {
    const { onEvent } = this.#options;
    this.#changed();
    if (alive.state === 'up') onEvent('peer_up', 'info', `gateway ${owner.gw} is on the broker`);
    else if (alive.state === 'leaving') onEvent('peer_left', 'info', `gateway ${owner.gw} has left the fleet`);
    else onEvent('peer_suspect', 'warning', `gateway ${owner.gw} is off the broker; its entries stay`);
  }

  // an empty retained message is all that an operator's slip or an attacker needs to send, so it removes nothing
  #erased(key: string, held: boolean): Outcome {
    const event = key.startsWith('vni/') ? 'record_erased' : 'alive_erased';
    if (held) this.#options.onEvent(event, 'warning', `${key} was erased on the broker; what it said is kept`);
    return 'erased';
  }

  #refused(key: string, reason: string): Outcome {
    if (!this.#invalid.has(key) && this.#invalid.size < MAX_FLOORS) {
      this.#invalid.add(key);
      this.#options.onEvent('record_invalid', 'warning', `${key} is refused: ${reason}`);
    }
    return 'invalid';
  }

  #winners(records: readonly PeerRecord[]): ReadonlyMap<Mac, Claim> {
    const winners = new Map<Mac, Claim>();
    for (const { gw, vni, macs } of records) {
      const alive = isAlive(this.#owner(gw));
      for (const entry of macs) {
        const claim = { gateway: gw, alive, entry };
        const best = winners.get(entry.m);
        if (!this.#duplicates.isOwn(vni, entry.m) && (!best || better(claim, best))) winners.set(entry.m, claim);
      }
    }
    return winners;
  }

  #statusOf(owner: Owner): PeerStatus {
    const [record] = owner.records.values();
    const vtep = record?.vtep[0] ?? owner.manifest?.vteps[0];
    const seen = owner.lastSeen;
    return {
      gateway: owner.gw,
      vtep: vtep?.ip ?? '',
      vnis: [...owner.records.keys()].sort((a, b) => a - b),
      state: isAlive(owner) || owner.alive === NEVER ? 'up' : 'suspect',
      rtt_ms: null,
      path_mtu: null,
      last_seen_s: seen === undefined ? null : Math.round((this.#options.clock.monotonic() - seen) / 1000),
    };
  }

  #owner(gw: string): Owner {
    const found = this.#owners.get(gw);
    const owner = found ?? {
      gw,
      records: new Map(),
      manifest: undefined,
      alive: this.#floor(aliveKey(gw)),
      lastSeen: undefined,
    };
    if (!found) this.#owners.set(gw, owner);
    return owner;
  }

  #full(key: string): boolean {
    return !this.#floors.has(key) && this.#floors.size >= MAX_FLOORS;
  }

  #floor(key: string): Stamp {
    return this.#floors.get(key) ?? NEVER;
  }

  #raise(key: string, { epoch, seq }: Stamp): void {
    this.#floors.set(key, { epoch, seq });
    this.#options.store.saveFloor(key, epoch, seq);
  }

  #count(outcome: Outcome): Outcome {
    this.#counts[outcome] += 1;
    return outcome;
  }

  #changed(): void {
    if (this.#notifying) return;
    this.#notifying = true;
    setImmediate(() => {
      this.#notifying = false;
      for (const listener of this.#listeners) listener();
    });
  }
}

function withdraws(manifest: Alive | undefined, record: PeerRecord): boolean {
  return (
    manifest !== undefined && compareStamps(manifest, record) > 0 && !Object.hasOwn(manifest.vnis, String(record.vni))
  );
}

// a will orders after its connection's manifests and may still arrive before one of them: such a manifest still says which records hold, though no longer that its owner lives
function isNewAlive(owner: Owner, alive: Alive): boolean {
  if (compareStamps(alive, owner.alive) > 0) return true;
  return alive.state !== 'down' && compareStamps(alive, owner.manifest ?? NEVER) > 0;
}

function isAlive(owner: Owner): boolean {
  return owner.manifest?.state === 'up' && compareStamps(owner.alive, owner.manifest) === 0;
}
