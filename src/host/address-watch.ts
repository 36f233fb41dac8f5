import type { Clock } from '../service/clock.ts';
import type { AddressConflict, ProbedInterface, probeAddresses } from './address-probe.ts';

/** How long until the next probe: from the first of a row to the last, doubled each time. */
type Pace = { readonly firstMs: number; readonly longestMs: number };

/** While somebody else has the address: so that the trouble is seen to end. */
const IN_CONFLICT: Pace = { firstMs: 3000, longestMs: 60_000 };
/** While nobody has: a machine may come later, or its cable have been out. */
const ALONE: Pace = { firstMs: 60_000, longestMs: 900_000 };
/** A probe that could not be done says nothing; the interface is up again soon, or gone. */
const UNKNOWN: Pace = { firstMs: 1000, longestMs: 60_000 };
/** Probes at once: each holds two sockets, and a gateway with hundreds of workloads has time. */
const AT_ONCE = 8;

export type WatchOptions = {
  readonly probe: typeof probeAddresses;
  readonly clock: Clock;
  /** what is in conflict has changed */
  readonly onChange: () => void;
};

type Entry = {
  readonly probed: ProbedInterface;
  readonly abort: AbortController;
  conflicts: readonly AddressConflict[];
  pace: Pace;
  /** probes of this pace so far */
  count: number;
  due: number;
  running: boolean;
};

/**
 * Probes each interface's addresses when it appears and from time to time after, in the background: nobody waits for
 * it, and nothing is taken down by what it finds.
 */
export class AddressWatch {
  readonly #options: WatchOptions;
  readonly #entries = new Map<string, Entry>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** All interfaces to watch from now on, by a name that changes with whatever makes it another interface. */
  update(interfaces: ReadonlyMap<string, ProbedInterface>): void {
    for (const [key, { abort }] of this.#entries) {
      if (interfaces.has(key)) continue;
      abort.abort();
      this.#entries.delete(key);
    }
    for (const [key, probed] of interfaces) if (!this.#entries.has(key)) this.#entries.set(key, this.#fresh(probed));
    this.#go();
  }

  /** By the name that was given to `update`: what somebody else has, too. */
  conflicts(): ReadonlyMap<string, readonly AddressConflict[]> {
    return new Map(
      [...this.#entries].flatMap(([key, { conflicts }]) => (conflicts.length > 0 ? [[key, conflicts]] : [])),
    );
  }

  stop(): void {
    this.update(new Map());
  }

  #fresh(probed: ProbedInterface): Entry {
    const due = this.#options.clock.monotonic();
    return { probed, abort: new AbortController(), conflicts: [], pace: UNKNOWN, count: 0, due, running: false };
  }

  /** Begins what is due as far as there is room, and comes back when the next is. */
  #go(): void {
    clearTimeout(this.#timer);
    const entries = [...this.#entries.values()];
    const waiting = entries.filter(({ running }) => !running).toSorted((a, b) => a.due - b.due);
    const room = AT_ONCE - (entries.length - waiting.length);
    const now = this.#options.clock.monotonic();
    const [due, later] = [waiting.filter((entry) => entry.due <= now), waiting.find((entry) => entry.due > now)];
    for (const entry of due.slice(0, Math.max(0, room))) void this.#probe(entry);
    if (later !== undefined) this.#timer = setTimeout(() => this.#go(), later.due - now).unref();
  }

  async #probe(entry: Entry): Promise<void> {
    entry.running = true;
    const found = await this.#options.probe(entry.probed, (conflict) => this.#add(entry, conflict), entry.abort.signal);
    entry.running = false;
    this.#pace(entry, found === undefined ? UNKNOWN : found.length > 0 ? IN_CONFLICT : ALONE);
    // What could not be asked about stays as it was known.
    if (found !== undefined) this.#set(entry, found);
    this.#go();
  }

  #pace(entry: Entry, pace: Pace): void {
    entry.count = entry.pace === pace ? entry.count + 1 : 0;
    entry.pace = pace;
    entry.due = this.#options.clock.monotonic() + Math.min(pace.longestMs, pace.firstMs * 2 ** entry.count);
  }

  #add(entry: Entry, conflict: AddressConflict): void {
    this.#set(entry, [...entry.conflicts.filter(({ address }) => address !== conflict.address), conflict]);
  }

  #set(entry: Entry, conflicts: readonly AddressConflict[]): void {
    const changed = textOf(conflicts) !== textOf(entry.conflicts);
    entry.conflicts = conflicts;
    if (changed && !entry.abort.signal.aborted) this.#options.onChange();
  }
}

function textOf(conflicts: readonly AddressConflict[]): string {
  return conflicts
    .map(({ address, mac }) => `${address} ${mac}`)
    .toSorted()
    .join();
}
