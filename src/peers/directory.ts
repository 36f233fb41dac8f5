import type { Alive, PeerRecord, Remote } from '../model/peer.ts';
import type { EventSink, PeerStatus } from '../model/status.ts';
import type { Vni } from '../model/vni.ts';
import type { Clock } from '../service/clock.ts';
import { parseAlive } from './alive.ts';
import { ChangeSignal } from './change-signal.ts';
import { type Duplicate, DuplicateWatch, type OwnMacs } from './duplicates.ts';
import { Floors, MAX_FLOORS } from './floors.ts';
import { LEASE_S } from './lease.ts';
import type { Claim } from './mobility.ts';
import { compareStamps } from './order.ts';
import type { Probes } from './liveness/probed.ts';
import { LoosePages } from './loose-pages.ts';
import { type Missing, Owner } from './owner.ts';
import { type PageAddress, parsePage } from './page.ts';
import { PeerEvents } from './peer-events.ts';
import type { PeerStore } from './peer-store.ts';
import { type Member, remotesOf } from './remotes.ts';
import { stored } from './stored.ts';
import { Ways } from './ways.ts';
import { digestOfBytes, parseRecord, type RecordAddress } from './record.ts';

export type DirectoryOptions = {
  readonly fleet: string;
  readonly gateway: string;
  readonly store: PeerStore;
  readonly clock: Clock;
  readonly onEvent: EventSink;
  /** absent: nobody is probed, and the broker's word alone counts */
  readonly probes?: Probes;
  /** whether what that key has signed, in the VNI or of the gateway itself, is believed; absent: all is */
  readonly admits?: (gw: string, vni: Vni | undefined, signer: string | undefined) => boolean;
  /** whether the broker is there, so that it would say who is gone; absent: it is not */
  readonly isOnBroker?: () => boolean;
};

/**
 * What became of a message. `incomplete`: pages that it lists are not here; `known`: nothing else than is here already;
 * `stale`: older; `own`: about this gateway; `full`: the directory takes no further owners.
 */
export type Outcome = 'accepted' | 'incomplete' | 'known' | 'stale' | 'own' | 'invalid' | 'erased' | 'full';

/** By whom something is said: the id of the key that signed it; and the payload as JSON, where that is read already. */
export type Said = { readonly signer?: string; readonly json?: object };

const recordKey = (vni: number, gw: string): string => `vni/${vni}/gw/${gw}`;
const pageKey = (vni: number, gw: string, page: number): string => `${recordKey(vni, gw)}/${page}`;
const aliveKey = (gw: string): string => `gw/${gw}/alive`;
/** Each signer has floors of its own: no number that somebody forged, or that a lost key gave out, stands in a new key's way. */
const floorKey = (key: string, signer: string | undefined): string => (signer === undefined ? key : `${key} ${signer}`);
const vouched = <T>(said: T, signer: string | undefined): T => (signer === undefined ? said : { ...said, signer });

/**
 * What the fleet's other gateways say about themselves. Takes payloads as they come (old, twice, out of order, forged)
 * and holds, per gateway and VNI, the newest record unless a newer manifest no longer lists it.
 */
export class PeerDirectory {
  readonly #options: DirectoryOptions;
  readonly #owners = new Map<string, Owner>();
  readonly #floors: Floors;
  readonly #loose = new LoosePages();
  readonly #started: number;
  readonly #events: PeerEvents;
  readonly #ways: Ways;
  readonly #duplicates = new DuplicateWatch();
  readonly #signal = new ChangeSignal();
  #own: OwnMacs = new Map();
  #ownText = '[]';

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#floors = new Floors(options.store);
    this.#started = options.clock.monotonic();
    this.#events = new PeerEvents(options.onEvent);
    this.#ways = new Ways(options, this.#events);
    this.#load();
  }

  /** Takes the payload of a record's topic. */
  receiveRecord(address: RecordAddress, payload: Uint8Array, { signer, json }: Said = {}): Outcome {
    const { vni, gw } = address;
    if (gw === this.#options.gateway) return 'own';
    const key = recordKey(vni, gw);
    if (payload.length === 0) return this.#erased(key, this.#owners.get(gw)?.records.has(vni) ?? false);
    const parsed = parseRecord(payload, { ...address, fleet: this.#options.fleet }, json);
    if (!parsed.ok) return this.#refused(key, parsed.reason);
    const floor = floorKey(key, signer);
    if (this.#isFull(floor, gw)) return 'full';
    const record = vouched(parsed.value, signer);
    const owner = this.#owner(gw, signer);
    if (!this.#isNews(owner, record, floor, payload))
      return compareStamps(record, owner.newest(vni)) === 0 ? 'known' : 'stale';
    this.#events.accepted(key);
    owner.lastSeen = this.#options.clock.monotonic();
    if (owner.withdraws(record)) {
      this.#withdraw(owner, vni);
      this.#floors.raise(floor, record);
      return 'accepted';
    }
    owner.table(vni).begin(record, (page, digest) => this.#loose.take(pageKey(vni, gw, page), digest));
    return this.#complete(owner, vni, key) ? 'accepted' : 'incomplete';
  }

  /** Takes the payload of a page's topic; by its digest the record says whether it is one of its pages. */
  receivePage(address: PageAddress, payload: Uint8Array, { json }: Said = {}): Outcome {
    const { vni, gw, page } = address;
    if (gw === this.#options.gateway) return 'own';
    const key = pageKey(vni, gw, page);
    if (payload.length === 0) return this.#erased(key, (this.#owners.get(gw)?.records.get(vni)?.pages ?? 0) >= page);
    const parsed = parsePage(payload, { ...address, fleet: this.#options.fleet }, json);
    if (!parsed.ok) return this.#refused(key, parsed.reason);
    const found = { digest: digestOfBytes(payload), page: parsed.value };
    const owner = this.#owners.get(gw);
    if (!owner?.hasTable(vni) || !owner.table(vni).offer(found)) {
      this.#loose.put(key, found);
      return 'incomplete';
    }
    return this.#complete(owner, vni, recordKey(vni, gw)) ? 'accepted' : 'incomplete';
  }

  /** Takes the payload of gateway `gw`'s alive topic. */
  receiveAlive(gw: string, payload: Uint8Array, { signer, json }: Said = {}): Outcome {
    if (gw === this.#options.gateway) return 'own';
    const key = aliveKey(gw);
    if (payload.length === 0) return this.#erased(key, this.#owners.has(gw));
    const parsed = parseAlive(payload, gw, json);
    if (!parsed.ok) return this.#refused(key, parsed.reason);
    const floor = floorKey(key, signer);
    if (this.#isFull(floor, gw)) return 'full';
    const owner = this.#owner(gw, signer);
    if (!owner.isNews(parsed.value)) return compareStamps(parsed.value, owner.alive) === 0 ? 'known' : 'stale';
    this.#events.accepted(key);
    this.#take(owner, vouched(parsed.value, signer));
    this.#floors.raise(floor, owner.alive);
    return 'accepted';
  }

  /** The other gateways in a VNI with the MACs that are theirs; a MAC claimed twice is with the better claim only. */
  remotes(vni: Vni): readonly Remote[] {
    const members = [...this.#owners.values()].flatMap((owner): readonly Member[] => {
      const record = owner.records.get(vni);
      return record === undefined ? [] : [{ owner, record, way: this.#ways.to(owner, record.vtep[0]) }];
    });
    return remotesOf(members, this.#ownClaims(vni), (mac) => this.#duplicates.isOwn(vni, mac));
  }

  /** Every gateway that holds a record. */
  peers(): readonly PeerStatus[] {
    return this.#known().map((owner) => this.#ways.statusOf(owner));
  }

  /** To be called when what the probes say of an address has changed. */
  probed(ip: string): void {
    if (this.#ways.probed(ip, this.#known())) this.#signal.changed();
  }

  /** To be called every few seconds: tells whom VXLAN does not reach any more though they are there, and whom again. */
  lookAtTunnels(): void {
    for (const owner of this.#owners.values()) this.#ways.lookAtTunnel(owner);
  }

  /** Records that a manifest lists, and pages that a record lists, and are not here: to be asked for again. */
  missing(vnis: ReadonlySet<Vni>): readonly Missing[] {
    const all: Missing[] = [];
    for (const owner of this.#owners.values())
      for (const vni of vnis) {
        const missing = owner.missing(vni);
        if (missing.length > 0 && this.#admits(owner.gw, vni, owner.manifest?.signer)) all.push(...missing);
      }
    return all;
  }

  /** The gateways that have to do with any of the VNIs: whose alive topics are worth a subscription. */
  membersOf(vnis: ReadonlySet<Vni>): readonly string[] {
    const ours = [...vnis];
    const members: string[] = [];
    for (const owner of this.#owners.values()) if (ours.some((vni) => owner.isIn(vni))) members.push(owner.gw);
    return members;
  }

  /**
   * Removes the records whose lease has ended, of gateways that are away, do not answer and have been silent for as long
   * by a clock that does not jump. To be called only while the wall clock is synchronised.
   */
  expire(): void {
    const { clock } = this.#options;
    const silentSince = clock.monotonic() - LEASE_S * 1000;
    for (const owner of this.#owners.values()) {
      const isSilent = (owner.lastSeen ?? this.#started) <= silentSince;
      if (owner.isAlive || !isSilent || this.#ways.answers(owner)) continue;
      const expired = [...owner.records.values()].filter((record) => owner.isExpired(record, clock.now() / 1000));
      for (const { vni } of expired) {
        this.#withdraw(owner, vni);
        this.#events.expired(recordKey(vni, owner.gw));
      }
    }
  }

  /** The gateway is trusted otherwise than before: forgets what it said and is not believed any more, whole tables at once. */
  recheck(gw: string): void {
    const owner = this.#owners.get(gw);
    if (owner === undefined) return;
    const stays = owner.manifest !== undefined && this.#admits(gw, undefined, owner.manifest.signer);
    for (const { vni, signer } of [...owner.records.values(), ...owner.pending]) {
      if (stays && this.#admits(gw, vni, signer)) continue;
      this.#withdraw(owner, vni);
      owner.forget(vni);
    }
    if (stays) return;
    this.#options.store.removeAlive(gw);
    this.#owners.delete(gw);
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

  #known(): readonly Owner[] {
    return [...this.#owners.values()].filter((owner) => owner.isKnown);
  }

  /** To what may move. */
  #ownClaims(vni: Vni): readonly Claim[] {
    const { gateway } = this.#options;
    const devices = (this.#own.get(vni) ?? []).filter(({ s }) => s === 0);
    return devices.map((entry) => ({ gateway, alive: true, entry }));
  }

  #load(): void {
    const { alives, records, unbelieved } = stored(this.#options);
    for (const alive of alives) {
      const owner = this.#owner(alive.gw, alive.signer);
      owner.manifest = alive;
      owner.sawAlive(alive);
    }
    for (const record of records) {
      const owner = this.#owner(record.gw, record.signer);
      owner.records.set(record.vni, record);
      owner.table(record.vni).restore(record);
      this.#floors.restore(floorKey(recordKey(record.vni, record.gw), record.signer), record);
    }
    this.#events.unbelieved(unbelieved);
  }

  #isNews(owner: Owner, record: PeerRecord, floor: string, payload: Uint8Array): boolean {
    if (compareStamps(record, owner.newest(record.vni)) <= 0) return false;
    const order = compareStamps(record, this.#floors.of(floor));
    if (order !== 0 || owner.records.has(record.vni)) return order > 0;
    // seen before and lost since: only an owner that lives can say that exactly this one still holds
    return owner.isAlive && owner.lists(record, digestOfBytes(payload));
  }

  /** Holds the table once all of it is here: only then is anything older a replay. */
  #complete(owner: Owner, vni: Vni, key: string): boolean {
    const record = owner.table(vni).complete();
    if (record === undefined) return false;
    this.#hold(owner, record, key);
    this.#floors.raise(floorKey(key, record.signer), record);
    return true;
  }

  #isFull(key: string, gw: string): boolean {
    return this.#floors.isFull(key) || (!this.#owners.has(gw) && this.#owners.size >= MAX_FLOORS);
  }

  #hold(owner: Owner, record: PeerRecord, key: string): void {
    this.#options.store.saveRecord(record);
    owner.records.set(record.vni, record);
    this.#duplicates.check(key, record);
    this.#signal.changed();
  }

  #withdraw(owner: Owner, vni: Vni): void {
    const held = owner.records.has(vni);
    owner.drop(vni);
    if (!held) return;
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
    if (!wasAway && owner.isAway && owner.vtep) this.#options.probes?.hurry(owner.vtep.ip);
    if (wasAlive === owner.isAlive) return;
    this.#events.state(owner.gw, alive.state);
  }

  #takeManifest(owner: Owner, manifest: Alive): void {
    this.#options.store.saveAlive(manifest);
    owner.manifest = manifest;
    const here = [...owner.records.values(), ...owner.pending];
    for (const record of here) if (owner.withdraws(record)) this.#withdraw(owner, record.vni);
  }

  // an empty retained message is all that an operator's slip or an attacker needs to send, so it removes nothing
  #erased(key: string, held: boolean): Outcome {
    if (held) this.#events.erased(key);
    return held ? 'erased' : 'known';
  }

  #refused(key: string, reason: string): Outcome {
    this.#events.refused(key, reason);
    return 'invalid';
  }

  #admits(gw: string, vni: Vni | undefined, signer: string | undefined): boolean {
    return this.#options.admits?.(gw, vni, signer) ?? true;
  }

  #owner(gw: string, signer: string | undefined): Owner {
    const owner = this.#owners.get(gw) ?? new Owner(gw, this.#floors.of(floorKey(aliveKey(gw), signer)));
    this.#owners.set(gw, owner);
    return owner;
  }
}
