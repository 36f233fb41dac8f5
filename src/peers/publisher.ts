import type { Alive, AliveState, MacEntry, PeerRecord, Vtep } from '../model/peer.ts';
import type { Vni } from '../model/vni.ts';
import type { Clock } from '../service/clock.ts';
import { encodeAlive } from './alive.ts';
import { SESSION_BLOCK } from './order.ts';
import { MAX_PAYLOAD } from './parse.ts';
import { digestOfBytes, encodeRecord } from './record.ts';

/** This gateway's side of one VNI. */
export type LocalNetwork = {
  readonly vni: Vni;
  readonly mtu: number;
  readonly bum: string;
  readonly macs: readonly MacEntry[];
};

/** All that this gateway tells its peers. */
export type LocalState = { readonly vteps: readonly Vtep[]; readonly networks: readonly LocalNetwork[] };

/** One retained message: the record of a VNI (empty payload: forget it) or the alive topic. */
export type Publication =
  | { readonly kind: 'record'; readonly vni: Vni; readonly payload: Buffer }
  | { readonly kind: 'alive'; readonly payload: Buffer };

export type PublisherOptions = {
  readonly fleet: string;
  readonly gateway: string;
  readonly epoch: number;
  readonly clock: Clock;
  /** told when a table does not fit into one record */
  readonly onTruncated?: (vni: Vni, kept: number, of: number) => void;
};

type Published = {
  readonly body: string;
  readonly iat: number;
  readonly seq: number;
  readonly payload: Buffer;
  readonly digest: string;
};

const LIFETIME_S = 24 * 3600;
const RENEW_AFTER_S = LIFETIME_S / 3;
const OWN_REMEMBERED = 256;

/** Turns the gateway's local state into the retained documents that changed; knows nothing of MQTT. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #published = new Map<Vni, Published>();
  /** VNIs this run has left: their erasure may have been lost while the broker was away */
  readonly #left = new Set<Vni>();
  readonly #ownAlives = new Set<string>();
  /** the newest will, and whether its connection came about */
  #will: { readonly digest: string; registered: boolean } | undefined;
  #local: LocalState | undefined;
  #seq = SESSION_BLOCK;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  get epoch(): number {
    return this.#options.epoch;
  }

  /** Whether the local state is known: before that an empty manifest would withdraw all our records at the peers. */
  get ready(): boolean {
    return this.#local !== undefined;
  }

  /** Opens a new connection's block of sequence numbers and returns the connection's will (see order.ts). */
  startSession(): Buffer {
    const block = Math.floor(this.#seq / SESSION_BLOCK) + 1;
    this.#seq = block * SESSION_BLOCK;
    // a broker that is away for hours must not push what it still retains out of our memory
    if (this.#will?.registered === false) this.#ownAlives.delete(this.#will.digest);
    const payload = this.#alive('down', this.#seq + SESSION_BLOCK - 1);
    this.#will = { digest: digestOfBytes(payload), registered: false };
    return payload;
  }

  /** The connection of the newest will came about: from now on the broker may publish that will. */
  sessionOpened(): void {
    if (this.#will) this.#will.registered = true;
  }

  /** Takes the local state; returns records that are new, changed or due for renewal, then the manifest, then erasures. */
  update(local: LocalState): readonly Publication[] {
    const firstTime = this.#local === undefined;
    const vtepsChanged = JSON.stringify(this.#local?.vteps) !== JSON.stringify(local.vteps);
    this.#local = local;
    const records = local.networks.flatMap((network) => this.#record(network, local.vteps));
    const gone = [...this.#published.keys()].filter((vni) => !local.networks.some((network) => network.vni === vni));
    for (const vni of gone) this.#leave(vni);
    for (const { vni } of local.networks) this.#left.delete(vni);
    if (!firstTime && !vtepsChanged && records.length === 0 && gone.length === 0) return [];
    return [...records, this.#manifest('up'), ...gone.map(erasure)];
  }

  /** Records due for renewal (a third of their 24 h has passed), with the manifest; else nothing. */
  renew(): readonly Publication[] {
    return this.#local ? this.update(this.#local) : [];
  }

  /** Everything, for a broker that may have forgotten: the records as they were published and a new birth. */
  snapshot(): readonly Publication[] {
    if (!this.#local) return [];
    const records = [...this.#published].map(([vni, { payload }]): Publication => ({ kind: 'record', vni, payload }));
    return [...records, this.#manifest('up'), ...[...this.#left].map(erasure)];
  }

  /** The last word of a service that stops (`down`: the datapath goes on) or of a gateway that leaves the fleet. */
  farewell(state: 'down' | 'leaving'): Publication {
    return this.#manifest(state);
  }

  /** Whether this run published these alive bytes: anything else on our alive topic is another run's, or forged. */
  isOwnAlive(payload: Uint8Array): boolean {
    return this.#ownAlives.has(digestOfBytes(payload));
  }

  #leave(vni: Vni): void {
    this.#published.delete(vni);
    this.#left.add(vni);
  }

  #record(network: LocalNetwork, vteps: readonly Vtep[]): Publication[] {
    const iat = Math.floor(this.#options.clock.now() / 1000);
    const body = JSON.stringify([network, vteps]);
    const before = this.#published.get(network.vni);
    // a clock that jumped back makes the age negative: then the record is renewed with sane times
    const age = iat - (before?.iat ?? 0);
    if (before?.body === body && age >= 0 && age < RENEW_AFTER_S) return [];
    const seq = this.#next();
    const payload = this.#fit(network, vteps, seq, iat);
    this.#published.set(network.vni, { body, iat, seq, payload, digest: digestOfBytes(payload) });
    return [{ kind: 'record', vni: network.vni, payload }];
  }

  #fit(network: LocalNetwork, vteps: readonly Vtep[], seq: number, iat: number): Buffer {
    const { fleet, gateway, epoch } = this.#options;
    const { vni, mtu, bum } = network;
    const base = {
      v: 1,
      fleet,
      vni,
      gw: gateway,
      epoch,
      seq,
      iat,
      exp: iat + LIFETIME_S,
      vtep: vteps,
      mtu,
      bum,
    } as const;
    const encode = (macs: readonly MacEntry[]): Buffer =>
      encodeRecord({ ...base, caps: [], macs, pages: 0 } satisfies PeerRecord);
    let macs = network.macs;
    let payload = encode(macs);
    while (payload.length > MAX_PAYLOAD) {
      macs = macs.slice(0, Math.floor(macs.length * 0.95));
      payload = encode(macs);
    }
    if (macs.length < network.macs.length) this.#options.onTruncated?.(vni, macs.length, network.macs.length);
    return payload;
  }

  #manifest(state: AliveState): Publication {
    return { kind: 'alive', payload: this.#alive(state, this.#next()) };
  }

  #alive(state: AliveState, seq: number): Buffer {
    const { gateway, epoch } = this.#options;
    const listed = [...this.#published].map(([vni, record]) => [String(vni), [record.seq, record.digest]] as const);
    const vnis: Alive['vnis'] = state === 'up' ? Object.fromEntries(listed) : {};
    const payload = encodeAlive({ v: 1, gw: gateway, epoch, seq, state, vteps: this.#local?.vteps ?? [], vnis });
    this.#remember(digestOfBytes(payload));
    return payload;
  }

  #remember(digest: string): void {
    this.#ownAlives.add(digest);
    const oldest = this.#ownAlives.size > OWN_REMEMBERED ? this.#ownAlives.values().next().value : undefined;
    if (oldest !== undefined) this.#ownAlives.delete(oldest);
  }

  #next(): number {
    this.#seq += 1;
    return this.#seq;
  }
}

function erasure(vni: Vni): Publication {
  return { kind: 'record', vni, payload: Buffer.alloc(0) };
}
