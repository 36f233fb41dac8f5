import type { Clock } from '../service/clock.ts';
import { TokenBucket } from '../service/token-bucket.ts';

/**
 * Lets 60 changes through at once, and one in ten seconds after that. Each is a record of up to 48 KiB that every peer
 * gets and writes to its disk, and a device that forges a few MACs a second would make one each second, for ever.
 */
export class Pace {
  readonly #bucket: TokenBucket;
  #latest = '';

  constructor(clock: Clock) {
    this.#bucket = new TokenBucket({ burst: 60, perSecond: 0.1 }, clock);
  }

  /** Whether this may take the place of what was let through last; the same may always. */
  admits(text: string): boolean {
    if (text === this.#latest) return true;
    if (!this.#bucket.take()) return false;
    this.#latest = text;
    return true;
  }
}
