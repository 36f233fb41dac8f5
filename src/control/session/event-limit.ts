import type { GatewayEvent } from '../../model/status.ts';
import type { Clock } from '../../service/clock.ts';
import { TokenBucket } from '../../service/token-bucket.ts';

/** Lets 20 events through at once and one a second after that; the next one through says how many were left out. */
export class EventLimit {
  readonly #bucket: TokenBucket;
  #suppressed = 0;

  constructor(clock: Clock) {
    this.#bucket = new TokenBucket({ burst: 20, perSecond: 1 }, clock);
  }

  /** The payload to publish, or undefined where the event is left out. */
  admit(event: GatewayEvent): Buffer | undefined {
    if (!this.#bucket.take()) {
      this.#suppressed += 1;
      return undefined;
    }
    const payload = Buffer.from(JSON.stringify({ ...event, suppressed: this.#suppressed }));
    this.#suppressed = 0;
    return payload;
  }
}
