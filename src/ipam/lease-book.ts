import type { BootTime, DhcpLease } from '../model/dhcp.ts';
import type { Clock } from '../service/clock.ts';
import { messageOf } from '../service/errors.ts';
import { leaseState, type LeaseState } from './dhcp-state.ts';

/** Where leases outlast this process; the store satisfies it. */
export interface DhcpLeaseStore {
  list(): readonly { readonly key: string; readonly lease: DhcpLease }[];
  put(key: string, lease: DhcpLease): void;
  /** none is no error */
  remove(key: string): void;
}

/** `state` is undefined once the lease was given back. */
export type DhcpListener = (key: string, state: LeaseState | undefined) => void;

/** What is heard of one lease; `trouble` says in words why none comes. */
export interface DhcpNews {
  granted(lease: DhcpLease): void;
  revoked(): void;
  trouble(message: string): void;
}

type Entry = {
  lease?: DhcpLease;
  /** monotonic milliseconds when it was granted */
  since: number;
  revoked: boolean;
  trouble?: string | undefined;
  told: string;
};

/** The leases of all endpoints, by key: what is known of each, kept in the store, and told where it changes. */
export class LeaseBook {
  readonly #store: DhcpLeaseStore;
  readonly #clock: Clock;
  readonly #bootTime: () => BootTime;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<DhcpListener>();

  constructor(store: DhcpLeaseStore, clock: Clock, bootTime: () => BootTime) {
    this.#store = store;
    this.#clock = clock;
    this.#bootTime = bootTime;
    for (const { key, lease } of store.list()) {
      const since = clock.monotonic() - ageOf(lease, clock, bootTime());
      this.#entries.set(key, { lease, since, revoked: false, told: '' });
    }
  }

  /** The address that the endpoint has, or had before. */
  address(key: string): string | undefined {
    return this.#entries.get(key)?.lease?.address.address;
  }

  newsOf(key: string): DhcpNews {
    return {
      granted: (granted) => {
        const lease = { ...granted, obtained: this.#bootTime() };
        const trouble = failureOf(() => this.#store.put(key, lease));
        this.#change(key, { lease, since: this.#clock.monotonic(), revoked: false, trouble });
      },
      revoked: () => this.#change(key, { revoked: true }),
      trouble: (trouble) => this.#change(key, { trouble }),
    };
  }

  /** None is no error. What the store cannot forget (a full disk) is given back after the next start, as unknown. */
  remove(key: string): void {
    failureOf(() => this.#store.remove(key));
    if (!this.#entries.delete(key)) return;
    for (const listener of this.#listeners) listener(key, undefined);
  }

  states(): ReadonlyMap<string, LeaseState> {
    return new Map([...this.#entries].map(([key, entry]) => [key, this.#stateOf(entry)]));
  }

  /** See `DhcpClients`. */
  onChange(listener: DhcpListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** To be called every few seconds: leases grow old. */
  tick(): void {
    for (const [key, entry] of this.#entries) this.#tell(key, entry);
  }

  #change(key: string, changed: Partial<Entry>): void {
    const entry = this.#entries.get(key) ?? { since: 0, revoked: false, told: '' };
    this.#entries.set(key, Object.assign(entry, changed));
    this.#tell(key, entry);
  }

  #stateOf({ lease, since, revoked, trouble }: Entry): LeaseState {
    return leaseState({ lease, age: this.#clock.monotonic() - since, revoked, trouble });
  }

  #tell(key: string, entry: Entry): void {
    const state = this.#stateOf(entry);
    const now = JSON.stringify([{ ...state.lease, obtainedAt: 0, obtained: null }, state.phase, state.problem]);
    if (now === entry.told) return;
    entry.told = now;
    for (const listener of this.#listeners) listener(key, state);
  }
}

/** Milliseconds since it was granted. After a restart of the machine only the clock can tell, which may have been set since. */
function ageOf({ obtained, obtainedAt }: DhcpLease, clock: Clock, now: BootTime): number {
  if (obtained?.boot === now.boot) return now.ms - obtained.ms;
  // One that went backwards tells nothing of the age; the client asks at once anyway.
  return Math.max(0, clock.now() - obtainedAt);
}

/** A lease holds, written down or not: an error here would be nobody's and end the process. */
function failureOf(write: () => void): string | undefined {
  try {
    write();
    return undefined;
  } catch (error) {
    return `the lease is not written down and would not outlast a restart: ${messageOf(error)}`;
  }
}
