/**
 * A limit on broadcast, unknown and multicast frames: a bucket of one second's worth, refilled as time passes. Whoever
 * drives the datapath says what time it is, once for each batch.
 */
export class StormLimit {
  readonly #perSecond: number;
  #tokens: number;
  #at = 0;
  #now = 0;

  /** @param perSecond frames a second, or null for no limit */
  constructor(perSecond: number | null) {
    this.#perSecond = perSecond ?? Number.POSITIVE_INFINITY;
    this.#tokens = this.#perSecond;
  }

  /** @param now monotonic, milliseconds */
  tick(now: number): void {
    this.#now = now;
  }

  /** Whether one more frame may pass. */
  admits(): boolean {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return true;
    const refilled = this.#tokens + ((this.#now - this.#at) * this.#perSecond) / 1000;
    this.#at = this.#now;
    this.#tokens = Math.min(this.#perSecond, refilled);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
