import type { Clock } from '../../service/clock.ts';

/** One timer for whatever is due next. */
export class Turn {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #act: () => void;
  #timer: NodeJS.Timeout | undefined;
  #at = 0;

  constructor(clock: Pick<Clock, 'monotonic'>, act: () => void) {
    [this.#clock, this.#act] = [clock, act];
  }

  /** Acts in so many milliseconds. A turn that is nearer stays: whoever calls often must not put it off for ever. */
  within(ms: number): void {
    const at = this.#clock.monotonic() + ms;
    if (this.#timer !== undefined && this.#at <= at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#act();
    }, ms).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
