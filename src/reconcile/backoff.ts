import type { Clock } from '../service/clock.ts';

const FIRST_MS = 500;
const LONGEST_MS = 60_000;

/** Per object: a failing one is tried again later and later, and never holds up the others. */
export class Backoff {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #failures = new Map<string, { count: number; due: number; message: string }>();

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  failed(object: string, message: string): void {
    const count = (this.#failures.get(object)?.count ?? 0) + 1;
    const delay = Math.min(LONGEST_MS, FIRST_MS * 2 ** (count - 1)) * (0.75 + this.#random() / 2);
    this.#failures.set(object, { count, due: this.#clock.monotonic() + delay, message });
  }

  /**
   * Forgets the failures of all other objects: a look found nothing left to do for them. A step's success alone is no
   * reason to forget, since it may not have brought about what it was for.
   */
  retain(objects: ReadonlySet<string>): void {
    for (const object of this.#failures.keys()) if (!objects.has(object)) this.#failures.delete(object);
  }

  /** A new document, or a change of the host, is worth a fresh try of everything. */
  reset(): void {
    this.#failures.clear();
  }

  isDue(object: string): boolean {
    return (this.#failures.get(object)?.due ?? 0) <= this.#clock.monotonic();
  }

  /** Milliseconds until the next object is due, or undefined where none waits. */
  next(): number | undefined {
    if (this.#failures.size === 0) return undefined;
    const due = Math.min(...[...this.#failures.values()].map((failure) => failure.due));
    return Math.max(0, due - this.#clock.monotonic());
  }

  problems(): ReadonlyMap<string, string> {
    return new Map([...this.#failures].map(([object, failure]) => [object, failure.message]));
  }
}
