import type { Clock } from '../../service/clock.ts';
import type { Timers } from './timers.ts';

/** Without a message for that long, what the broker was giving out is out. */
const QUIET_MS = 300;
/** But in a fleet that never rests nothing waits for ever. */
const PATIENCE_MS = 10_000;

/**
 * Puts off what would ask the broker for more while it is still giving out. When a whole fleet starts at once, most of
 * what a gateway lacks is on its way, and to ask for it makes it come later.
 */
export class Lull {
  readonly #timers: Timers;
  readonly #clock: Clock;
  readonly #isBehind: () => boolean;
  #heard = Number.NEGATIVE_INFINITY;

  /** @param isBehind whether messages have arrived that wait to be worked on */
  constructor(timers: Timers, clock: Clock, isBehind: () => boolean) {
    [this.#timers, this.#clock, this.#isBehind] = [timers, clock, isBehind];
  }

  /** A message has come that is news. */
  heard(): void {
    this.#heard = this.#clock.monotonic();
  }

  /** Whether messages have arrived that wait to be worked on: what is missing may be among them, however long that takes. */
  get isBehind(): boolean {
    return this.#isBehind();
  }

  /** Whether nothing has come for a while. */
  get isNow(): boolean {
    return !this.isBehind && this.#clock.monotonic() - this.#heard >= QUIET_MS;
  }

  /**
   * Calls `act` after that time, or in the first lull after it; a timer of the name that runs is replaced.
   * @param patience milliseconds for which a lull is waited for
   */
  set(name: string, ms: number, act: () => void, patience = PATIENCE_MS): void {
    this.#set(name, ms, act, this.#clock.monotonic() + ms + patience);
  }

  /** The same, but one of the name that runs is kept. */
  setUnlessRunning(name: string, ms: number, act: () => void, patience = PATIENCE_MS): void {
    if (!this.#timers.isRunning(name)) this.set(name, ms, act, patience);
  }

  #set(name: string, ms: number, act: () => void, latest: number): void {
    this.#timers.set(name, ms, () => {
      const isLate = this.#clock.monotonic() >= latest && !this.isBehind;
      if (this.isNow || isLate) act();
      else this.#set(name, QUIET_MS, act, latest);
    });
  }
}
