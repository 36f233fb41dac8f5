import { MacTable } from './fdb.ts';

/** Seconds without a frame after which a learned MAC is forgotten (IEEE 802.1Q table 8-3). */
export const AGEING_S = 300;
/** MACs learned in one network at most: whoever forges source addresses fills no more than this. */
export const LEARNED_MAX = 4096;

const TOLD = 1;
const LATER = 2;

/** Told to the way out, which sends to what the way in learns. `peer` -1: forgotten. */
export type OnLearned = (high: number, low: number, peer: number) => void;

/** MACs behind VTEPs that publish no records, from their frames' source addresses; the way in owns it. */
export class Learning {
  readonly #table = new MacTable();
  /** MACs whose move was told since the last tick: TOLD, or LATER where they have moved once more */
  readonly #moved = new MacTable();
  readonly #onLearned: OnLearned;
  #now = 0;

  constructor(onLearned: OnLearned) {
    this.#onLearned = onLearned;
  }

  get size(): number {
    return this.#table.size;
  }

  /**
   * A frame with this source came from this peer. One that is new where the table is full is not learned. The table
   * follows every frame, and a move is told at once; one that follows soon is told by the next tick: a MAC that flaps (a
   * loop at a foreign site, forged frames) would else be told with each frame, which takes the other direction's time.
   */
  learn(high: number, low: number, peer: number): void {
    const before = this.#table.get(high, low);
    if (before === peer) return this.#table.touch(high, low, this.#now);
    if (before < 0 && this.#table.size >= LEARNED_MAX) return;
    this.#table.set(high, low, peer, this.#now);
    if (before < 0) return this.#onLearned(high, low, peer);
    const isSoon = this.#moved.get(high, low) >= 0;
    this.#moved.set(high, low, isSoon ? LATER : TOLD);
    if (!isSoon) this.#onLearned(high, low, peer);
  }

  /** Whether there is something that the next tick will tell. */
  get owes(): boolean {
    return this.#moved.size > 0;
  }

  /** Some time has passed: tells where those are that have moved again meanwhile. */
  tick(): void {
    if (this.#moved.size === 0) return;
    const moved = [...this.#moved.entries()];
    this.#moved.clear();
    for (const { high, low, value } of moved) {
      const peer = this.#table.get(high, low);
      if (value !== LATER || peer < 0) continue;
      this.#onLearned(high, low, peer);
      this.#moved.set(high, low, TOLD);
    }
  }

  /** Forgets what has aged. @param seconds monotonic */
  age(seconds: number): void {
    this.#now = seconds;
    for (const { high, low, stamp } of this.#table.entries()) {
      if (seconds - stamp > AGEING_S) this.forget(high, low);
    }
  }

  forget(high: number, low: number): void {
    this.#table.delete(high, low);
    this.#onLearned(high, low, -1);
  }

  entries(): ReturnType<MacTable['entries']> {
    return this.#table.entries();
  }
}
