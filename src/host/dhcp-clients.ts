import { leaseState, type LeaseState } from '../ipam/dhcp-state.ts';
import type { DhcpLease } from '../model/dhcp.ts';
import { type Clock, systemClock } from '../service/clock.ts';
import { DhcpHold, type DhcpNews, type DhcpPlace } from './dhcp-hold.ts';
import { type DhcpRequest, requestLease } from './dhcp-request.ts';
import { HoldingNamespace } from './holding-namespace.ts';

const TIMEOUT_MS = 5000;
/** How soon a sandbox that went away is noticed. */
const TICK_MS = 2000;

/** Where leases outlast this process; the store satisfies it. */
export interface DhcpLeaseStore {
  list(): readonly { readonly key: string; readonly lease: DhcpLease }[];
  put(key: string, lease: DhcpLease): void;
  /** none is no error */
  remove(key: string): void;
}

export type DhcpClientsOptions = {
  /** path of the file `udhcpc-hook` */
  readonly hook: string;
  readonly store: DhcpLeaseStore;
  readonly clock?: Clock;
  /** milliseconds that `acquire` waits for a lease; default 5000 */
  readonly timeout?: number;
};

/** `state` is undefined once the lease was given back. */
export type DhcpListener = (key: string, state: LeaseState | undefined) => void;

type Entry = {
  lease?: DhcpLease;
  /** monotonic milliseconds when it was granted, or would have been */
  since: number;
  revoked: boolean;
  trouble?: string | undefined;
  hold?: DhcpHold;
  told: string;
};

/**
 * The plant's addresses of this gateway's endpoints: `acquire` before a workload starts, `hold` from its attach on,
 * `release` at its detach. Nothing here sets an address or a route: who listens does. The clients end with this
 * process, their leases do not: after a restart, `hold` takes them up again.
 */
export class DhcpClients {
  readonly #options: DhcpClientsOptions;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<DhcpListener>();
  readonly #timer: NodeJS.Timeout;
  #holding: Promise<HoldingNamespace> | undefined;
  #interfaces = 0;

  constructor(options: DhcpClientsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    for (const { key, lease } of options.store.list()) this.#restore(key, lease);
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /**
   * Asks for a lease for an endpoint that has no interface yet, within 5 s; the address it had before is asked for
   * where none is named. A client that still holds the key is ended first.
   * @throws LinkspanError and others, see `requestLease`
   */
  async acquire(key: string, request: DhcpRequest, signal: AbortSignal): Promise<DhcpLease> {
    const entry = this.#entries.get(key);
    await entry?.hold?.end();
    delete entry?.hold;
    const { path: namespace } = await this.#namespace();
    const name = `dhcp${(this.#interfaces += 1)}`;
    const { hook, timeout = TIMEOUT_MS } = this.#options;
    const place = { namespace, name, hook, timeout, now: () => this.#clock.now() };
    const requested = request.requested ?? entry?.lease?.address.address;
    const lease = await requestLease({ ...request, requested }, place, signal);
    this.#newsOf(key).granted(lease);
    return lease;
  }

  /** Renews the endpoint's lease there from now on; may be called again at any time. Ends with `release`. */
  hold(key: string, place: DhcpPlace): void {
    const entry = this.#entry(key);
    if (entry.hold !== undefined && samePlace(entry.hold.place, place)) return;
    void entry.hold?.end();
    const { hook } = this.#options;
    const requested = (): string | undefined => entry.lease?.address.address;
    entry.hold = new DhcpHold(place, { hook, clock: this.#clock, requested, news: this.#newsOf(key) });
  }

  /**
   * Gives the lease back and forgets it; resolves within 2 s. Call it while the interface stands: the release goes out
   * on it. Without a client there, or where its server is not reached, the lease runs out at the server by itself.
   */
  async release(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#options.store.remove(key);
    await entry.hold?.release();
    for (const listener of this.#listeners) listener(key, undefined);
  }

  leases(): ReadonlyMap<string, LeaseState> {
    return new Map([...this.#entries].map(([key, entry]) => [key, this.#stateOf(entry)]));
  }

  /** Tells each change of address, router, names, phase or problem; a mere renewal is none. Returns the way out. */
  onChange(listener: DhcpListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends all clients; the leases go on. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#listeners.clear();
    await Promise.all([...this.#entries.values()].map(async (entry) => entry.hold?.end()));
    await this.#holding?.then((holding) => holding.close()).catch(() => {});
  }

  #restore(key: string, lease: DhcpLease): void {
    // A clock that went backwards tells nothing of the age; the client asks at once anyway.
    const age = Math.max(0, this.#clock.now() - lease.obtainedAt);
    this.#entries.set(key, { lease, since: this.#clock.monotonic() - age, revoked: false, told: '' });
  }

  #entry(key: string): Entry {
    const entry = this.#entries.get(key) ?? { since: 0, revoked: false, told: '' };
    this.#entries.set(key, entry);
    return entry;
  }

  #newsOf(key: string): DhcpNews {
    const change = (changed: Partial<Entry>): void => {
      const entry = this.#entry(key);
      Object.assign(entry, changed);
      this.#tell(key, entry);
    };
    return {
      granted: (lease) => {
        this.#options.store.put(key, lease);
        change({ lease, since: this.#clock.monotonic(), revoked: false, trouble: undefined });
      },
      revoked: () => change({ revoked: true }),
      trouble: (trouble) => change({ trouble }),
    };
  }

  #stateOf({ lease, since, revoked, trouble }: Entry): LeaseState {
    return leaseState({ lease, age: this.#clock.monotonic() - since, revoked, trouble });
  }

  #tell(key: string, entry: Entry): void {
    const state = this.#stateOf(entry);
    const now = JSON.stringify([{ ...state.lease, obtainedAt: 0 }, state.phase, state.problem]);
    if (now === entry.told) return;
    entry.told = now;
    for (const listener of this.#listeners) listener(key, state);
  }

  #tick(): void {
    for (const [key, entry] of this.#entries) {
      // The client is the last that holds the namespace, so its way to the server still stands.
      if (entry.hold?.vanished()) void this.release(key);
      else entry.hold?.tick();
      this.#tell(key, entry);
    }
  }

  #namespace(): Promise<HoldingNamespace> {
    this.#holding = reopened(this.#holding);
    return this.#holding;
  }
}

/** One after the other, so that many requests at once make one namespace. */
async function reopened(last: Promise<HoldingNamespace> | undefined): Promise<HoldingNamespace> {
  const held = await last?.catch(() => undefined);
  return held?.open ? held : HoldingNamespace.open();
}

function samePlace(a: DhcpPlace, b: DhcpPlace): boolean {
  return a.namespace === b.namespace && a.interface === b.interface && a.identity.clientId === b.identity.clientId;
}
