import type { Lull } from './lull.ts';
import type { Timers } from './timers.ts';

const PACE_MS = 200;
/** Records first: on a cold start the peers' alive topics wait this long and as long again at most, and for a lull. */
const COLD_MS = 500;

/**
 * Whose alive topics are subscribed to: of those that have to do with a VNI of ours only, since all of a fleet's would be
 * a message to every gateway for each of them.
 */
export class Members {
  readonly #timers: Timers;
  readonly #lull: Lull;
  readonly #find: () => readonly string[];
  readonly #changed: () => void;
  #gateways: ReadonlySet<string> = new Set();

  /** @param find those that are to be followed @param changed `gateways` are others now */
  constructor(timers: Timers, lull: Lull, find: () => readonly string[], changed: () => void) {
    [this.#timers, this.#lull, this.#find, this.#changed] = [timers, lull, find, changed];
  }

  get gateways(): readonly string[] {
    return [...this.#gateways];
  }

  has(gw: string): boolean {
    return this.#gateways.has(gw);
  }

  /** A connection is about to be made: nobody is followed until records had time to come. */
  pause(): void {
    this.#gateways = new Set();
  }

  resume(): void {
    this.#lull.set('members', COLD_MS * (1 + Math.random()), () => this.#look());
  }

  /** The records or our VNIs are others now. */
  look(): void {
    this.#timers.setUnlessRunning('members', PACE_MS, () => this.#look());
  }

  #look(): void {
    const found = new Set(this.#find());
    const isSame = found.size === this.#gateways.size && [...found].every((gw) => this.#gateways.has(gw));
    if (isSame) return;
    this.#gateways = found;
    this.#changed();
  }
}
