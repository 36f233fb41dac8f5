import type { Clock } from '../service/clock.ts';

const AT_ONCE = 60;
const EVERY_MS = 10_000;

/**
 * Lets 60 changes through at once, and one in ten seconds after that. Each is a record of up to 64 KiB that every peer
 * gets and writes to its disk, and a device that forges a few MACs a second would make one each second, for ever.
 */
export class Pace {
  readonly #clock: Clock;
  #tokens = AT_ONCE;
  #filled: number;
  #latest = '';

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filled = clock.monotonic();
  }

  /** Whether this may take the place of what was let through last; the same may always. */
  admits(text: string): boolean {
    if (text === this.#latest) return true;
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(AT_ONCE, this.#tokens + (now - this.#filled) / EVERY_MS);
    this.#filled = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    this.#latest = text;
    return true;
  }
}
