import type { Alive, AliveState, Listing, Vtep } from '../model/peer.ts';
import type { Vni } from '../model/vni.ts';
import type { Clock } from '../service/clock.ts';
import { encodeAlive } from './alive.ts';
import { issuedMacs, type IssuedTable, issueTable, type LocalNetwork } from './issue.ts';
import { LEASE_S, RENEW_AFTER_S } from './lease.ts';
import { SESSION_BLOCK } from './order.ts';
import { digestOfBytes } from './record.ts';

/** All that this gateway tells its peers. */
export type LocalState = { readonly vteps: readonly Vtep[]; readonly networks: readonly LocalNetwork[] };

/** One retained message: a page of a VNI's table (0: its record; an empty payload: forget it) or the alive topic. */
export type Publication =
  | { readonly kind: 'record'; readonly vni: Vni; readonly page: number; readonly payload: Buffer }
  | { readonly kind: 'alive'; readonly payload: Buffer };

export type PublisherOptions = {
  readonly fleet: string;
  readonly gateway: string;
  readonly epoch: number;
  readonly clock: Clock;
  /** told when a table does not fit into all its pages */
  readonly onTruncated?: (vni: Vni, kept: number, of: number) => void;
};

type Place = { readonly vni: Vni; readonly page: number };

const OWN_REMEMBERED = 256;

/** Turns the gateway's local state into the retained documents that changed; knows nothing of MQTT. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #tables = new Map<Vni, IssuedTable>();
  /** pages that this run has given up: their erasure may have been lost while the broker was away */
  #left: readonly Place[] = [];
  readonly #ownAlives = new Set<string>();
  /** wills of connections that did not come about as far as is known here: the broker may know better */
  readonly #tried = new Set<string>();
  /** the newest will, and whether its connection came about */
  #will: { readonly digest: string; registered: boolean } | undefined;
  #local: LocalState | undefined;
  #seq = SESSION_BLOCK;
  /** when the leases were last renewed, seconds since 1970 */
  #renewed = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  get epoch(): number {
    return this.#options.epoch;
  }

  /** The newest sequence number given out. */
  get seq(): number {
    return this.#seq;
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
    if (this.#will?.registered === false) {
      this.#ownAlives.delete(this.#will.digest);
      keep(this.#tried, this.#will.digest);
    }
    // what the broker shows next, however much was said since: taken for another's, it would cost an epoch
    if (this.#will?.registered) keep(this.#ownAlives, this.#will.digest);
    const payload = this.#alive('down', this.#seq + SESSION_BLOCK - 1);
    this.#will = { digest: digestOfBytes(payload), registered: false };
    return payload;
  }

  /** The connection of the newest will came about: from now on the broker may publish that will. */
  sessionOpened(): void {
    if (this.#will) this.#will.registered = true;
  }

  /**
   * Takes the local state; returns what changed: pages, each VNI's after them its record that lists them, then the
   * manifest that lists the records, then erasures. So whoever takes them in this order never lacks a part.
   */
  update(local: LocalState): readonly Publication[] {
    const firstTime = this.#local === undefined;
    const vtepsChanged = JSON.stringify(this.#local?.vteps) !== JSON.stringify(local.vteps);
    const before = this.#places();
    this.#local = local;
    const records = local.networks.flatMap((network) => this.#table(network, local.vteps));
    for (const vni of this.#tables.keys())
      if (!local.networks.some((network) => network.vni === vni)) this.#tables.delete(vni);
    const gone = this.#giveUp(before);
    if (!firstTime && !vtepsChanged && records.length === 0 && gone.length === 0) return [];
    return [...records, this.#manifest('up'), ...gone.map(erasure)];
  }

  /** The manifest, which renews the leases of all records, once a third of their 24 h has passed; else nothing. */
  renew(): readonly Publication[] {
    const age = this.#now() - this.#renewed;
    // a clock that jumped back makes the age negative: then they are renewed with sane times
    return this.#local && (age < 0 || age >= RENEW_AFTER_S) ? [this.#manifest('up')] : [];
  }

  /** Everything, for a broker that may have forgotten: the records as they were published and a new birth. */
  snapshot(): readonly Publication[] {
    if (!this.#local) return [];
    const records = [...this.#tables].flatMap(([vni, table]) => publications(vni, table));
    return [...records, this.#manifest('up'), ...this.#left.map(erasure)];
  }

  /** A VNI's table again, all of it with higher sequence numbers, and the manifest: somebody else has written there. */
  reissue(vni: Vni): readonly Publication[] {
    const network = this.#local?.networks.find((one) => one.vni === vni);
    if (!this.#local || !network) return [];
    const homes = this.#tables.get(vni)?.homes ?? new Map();
    this.#tables.set(vni, { body: '', homes, pages: [] });
    return [...this.#table(network, this.#local.vteps), this.#manifest('up')];
  }

  /** The manifest again, with a higher sequence number. */
  rebirth(): readonly Publication[] {
    return this.#local ? [this.#manifest('up')] : [];
  }

  /** The last word of a service that stops (`down`: the datapath goes on) or of a gateway that leaves the fleet. */
  farewell(state: 'down' | 'leaving'): Publication {
    return this.#manifest(state);
  }

  /** Whether this run published these alive bytes: anything else on our alive topic is another run's, or forged. */
  isOwnAlive(payload: Uint8Array): boolean {
    const digest = digestOfBytes(payload);
    return this.#ownAlives.has(digest) || this.#tried.has(digest);
  }

  #table(network: LocalNetwork, vteps: readonly Vtep[]): readonly Publication[] {
    const { fleet, gateway, epoch, onTruncated } = this.#options;
    const { vni } = network;
    const before = this.#tables.get(vni);
    if (before?.body === JSON.stringify([network, vteps])) return [];
    const by = { fleet, gateway, epoch, iat: this.#now(), next: () => this.#next() };
    const table = issueTable(by, network, vteps, before);
    this.#tables.set(vni, table);
    const kept = issuedMacs(network, table);
    if (kept < network.macs.length) onTruncated?.(vni, kept, network.macs.length);
    return publications(vni, table, before);
  }

  #places(): readonly Place[] {
    return [...this.#tables].flatMap(([vni, { pages }]) => pages.map((_, page) => ({ vni, page })));
  }

  /** Those of the places that are published no more; they are remembered until they are again. */
  #giveUp(before: readonly Place[]): readonly Place[] {
    const isGone = ({ vni, page }: Place): boolean => this.#tables.get(vni)?.pages[page] === undefined;
    const gone = before.filter(isGone);
    this.#left = [...this.#left.filter(isGone), ...gone];
    return gone;
  }

  #manifest(state: AliveState): Publication {
    if (state === 'up') this.#renewed = this.#now();
    return { kind: 'alive', payload: this.#alive(state, this.#next()) };
  }

  #alive(state: AliveState, seq: number): Buffer {
    const { gateway, epoch } = this.#options;
    const listed = [...this.#tables].flatMap(
      ([
        vni,
        {
          pages: [base],
        },
      ]): [string, Listing][] => (base ? [[String(vni), [base.seq, base.digest]]] : []),
    );
    const isUp = state === 'up';
    const vnis: Alive['vnis'] = isUp ? Object.fromEntries(listed) : {};
    const vteps = this.#local?.vteps ?? [];
    const lease = isUp && { exp: this.#now() + LEASE_S };
    const payload = encodeAlive({ v: 1, gw: gateway, epoch, seq, state, vteps, vnis, ...lease });
    keep(this.#ownAlives, digestOfBytes(payload));
    return payload;
  }

  #next(): number {
    this.#seq += 1;
    return this.#seq;
  }

  #now(): number {
    return Math.floor(this.#options.clock.now() / 1000);
  }
}

/** As the newest of so many. */
function keep(digests: Set<string>, digest: string): void {
  digests.delete(digest);
  digests.add(digest);
  const oldest = digests.size > OWN_REMEMBERED ? digests.values().next().value : undefined;
  if (oldest !== undefined) digests.delete(oldest);
}

/** The pages that are not as before, the base record, which lists them, last. */
function publications(vni: Vni, { pages }: IssuedTable, before?: IssuedTable): readonly Publication[] {
  const changed = pages.flatMap((issued, page): readonly Publication[] =>
    issued === before?.pages[page] ? [] : [{ kind: 'record', vni, page, payload: issued.payload }],
  );
  return [...changed.slice(1), ...changed.slice(0, 1)];
}

function erasure({ vni, page }: Place): Publication {
  return { kind: 'record', vni, page, payload: Buffer.alloc(0) };
}
