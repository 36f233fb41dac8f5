import type { LeaseState } from '../ipam/dhcp-state.ts';
import { type DhcpLeaseStore, type DhcpListener, LeaseBook } from '../ipam/lease-book.ts';
import type { DhcpLease } from '../model/dhcp.ts';
import { type Clock, systemClock } from '../service/clock.ts';
import { bootTime } from './boot-time.ts';
import { DhcpHold, type DhcpPlace } from './dhcp-hold.ts';
import { type DhcpRequest, requestLease } from './dhcp-request.ts';
import { HoldingNamespace } from './holding-namespace.ts';

const TIMEOUT_MS = 5000;
/** How soon a sandbox that went away is noticed. */
const TICK_MS = 2000;

export type DhcpClientsOptions = {
  /** path of the file `udhcpc-hook` */
  readonly hook: string;
  readonly store: DhcpLeaseStore;
  readonly clock?: Clock;
  /** milliseconds that `acquire` waits for a lease once its client asks, and twice this in all; default 5000 */
  readonly timeout?: number;
};

/**
 * The plant's addresses of this gateway's endpoints: `acquire` before a workload starts, `hold` from its attach on,
 * `release` at its detach. Nothing here sets an address or a route: who listens does. The clients end with this
 * process, their leases do not: after a restart, `hold` takes them up again.
 */
export class DhcpClients {
  readonly #hook: string;
  readonly #timeout: number;
  readonly #clock: Clock;
  readonly #book: LeaseBook;
  readonly #holds = new Map<string, DhcpHold>();
  readonly #timer: NodeJS.Timeout;
  #holding: Promise<HoldingNamespace> | undefined;
  #interfaces = 0;

  constructor({ hook, store, clock = systemClock, timeout = TIMEOUT_MS }: DhcpClientsOptions) {
    this.#hook = hook;
    this.#timeout = timeout;
    this.#clock = clock;
    this.#book = new LeaseBook(store, clock, bootTime);
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /**
   * Asks for a lease for an endpoint that has no interface yet and waits 5 s for it; the address it had before is asked for
   * where none is named. A client that still holds the key is ended first.
   * @throws LinkspanError and others, see `requestLease`
   */
  async acquire(key: string, request: DhcpRequest, signal: AbortSignal): Promise<DhcpLease> {
    await this.#take(key)?.end();
    this.#holding = reopened(this.#holding);
    const { path: namespace } = await this.#holding;
    const name = `dhcp${(this.#interfaces += 1)}`;
    const place = { namespace, name, hook: this.#hook, timeout: this.#timeout, now: () => this.#clock.now() };
    const requested = request.requested ?? this.#book.address(key);
    const lease = await requestLease({ ...request, requested }, place, signal);
    this.#book.newsOf(key).granted(lease);
    return lease;
  }

  /** Renews the endpoint's lease there from now on; may be called again at any time. Ends with `release`. */
  hold(key: string, place: DhcpPlace): void {
    const held = this.#holds.get(key);
    if (held !== undefined && samePlace(held.place, place)) return;
    void held?.end();
    const requested = (): string | undefined => this.#book.address(key);
    const news = this.#book.newsOf(key);
    this.#holds.set(key, new DhcpHold(place, { hook: this.#hook, clock: this.#clock, requested, news }));
  }

  /**
   * Gives the lease back and forgets it; resolves within 2 s. Call it while the interface stands: the release goes out
   * on it. Without a client there, or where its server is not reached, the lease runs out at the server by itself.
   */
  async release(key: string): Promise<void> {
    const released = this.#take(key)?.release();
    this.#book.remove(key);
    await released;
  }

  leases(): ReadonlyMap<string, LeaseState> {
    return this.#book.states();
  }

  /** Tells each change of address, router, names, phase or problem; a mere renewal is none. Returns the way out. */
  onChange(listener: DhcpListener): () => void {
    return this.#book.onChange(listener);
  }

  /** Ends all clients; the leases go on. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#holds.values()].map((hold) => hold.end()));
    await this.#holding?.then((holding) => holding.close()).catch(() => {});
  }

  #take(key: string): DhcpHold | undefined {
    const hold = this.#holds.get(key);
    this.#holds.delete(key);
    return hold;
  }

  #tick(): void {
    for (const [key, hold] of this.#holds) {
      // The client is the last that holds the namespace, so its way to the server still stands.
      if (hold.vanished()) void this.release(key);
      else hold.tick();
    }
    this.#book.tick();
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
