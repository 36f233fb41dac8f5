import type { Clock } from './clock.ts';

/** A limit on what may happen: `burst` times at once, `perSecond` times in the long run. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #tokens: number;
  #filled: number;

  constructor({ burst, perSecond }: { burst: number; perSecond: number }, clock: Pick<Clock, 'monotonic'>) {
    [this.#burst, this.#perSecond, this.#clock] = [burst, perSecond, clock];
    [this.#tokens, this.#filled] = [burst, clock.monotonic()];
  }

  /** Whether it may happen now; where it may, that is one time less. */
  take(): boolean {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#filled) / 1000) * this.#perSecond);
    this.#filled = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
