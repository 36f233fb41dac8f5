import type { GatewayEvent } from '../model/status.ts';
import type { Clock } from '../service/clock.ts';

const BURST = 20;
const PER_SECOND = 1;

/** Lets 20 events through at once and one a second after that; the next one through says how many were left out. */
export class EventLimit {
  readonly #clock: Clock;
  #tokens = BURST;
  #filled: number;
  #suppressed = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filled = clock.monotonic();
  }

  /** The payload to publish, or undefined where the event is left out. */
  admit(event: GatewayEvent): Buffer | undefined {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filled) / 1000) * PER_SECOND);
    this.#filled = now;
    if (this.#tokens < 1) {
      this.#suppressed += 1;
      return undefined;
    }
    this.#tokens -= 1;
    const payload = Buffer.from(JSON.stringify({ ...event, suppressed: this.#suppressed }));
    this.#suppressed = 0;
    return payload;
  }
}
