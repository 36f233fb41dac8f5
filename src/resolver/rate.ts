const WINDOW_MS = 1000;

/** How many may come within a second. */
export class Rate {
  readonly #max: number;
  readonly #now: () => number;
  #since = Number.NEGATIVE_INFINITY;
  #count = 0;

  /** @param now milliseconds that only rise */
  constructor(max: number, now: () => number) {
    this.#max = max;
    this.#now = now;
  }

  /** Whether there is room for one more. */
  admit(): boolean {
    const now = this.#now();
    if (now - this.#since >= WINDOW_MS) [this.#since, this.#count] = [now, 0];
    this.#count += 1;
    return this.#count <= this.#max;
  }
}
