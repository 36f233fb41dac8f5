import type { Clock } from '../service/clock.ts';

/** More moves of a MAC in that time are no moves: two have it (RFC 7432 section 15.1). */
export const [MOVES_MAX, MOVES_MS] = [5, 180_000];
/** How long it is left alone then. The RFC leaves recovery to the operator; 30 minutes is FRR's default. */
export const RECOVERY_MS = 1_800_000;

type Moved = {
  /** when it came from a peer, monotonic milliseconds */
  readonly times: readonly number[];
  /** until when it is no move any more, but a duplicate */
  readonly frozenUntil?: number;
};

/** How often each device's MAC has come here from another gateway; keys are its caller's. */
export class Moves {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #moved = new Map<string, Moved>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Counts a move; false where it is one too many, or the MAC is a duplicate already. */
  count(key: string): boolean {
    if (this.isFrozen(key)) return false;
    const now = this.#clock.monotonic();
    const times = this.#recent(key, now);
    const tooMany = times.length >= MOVES_MAX;
    this.#moved.set(key, tooMany ? { times, frozenUntil: now + RECOVERY_MS } : { times: [...times, now] });
    return !tooMany;
  }

  isFrozen(key: string): boolean {
    return (this.#moved.get(key)?.frozenUntil ?? Number.NEGATIVE_INFINITY) > this.#clock.monotonic();
  }

  /** Forgets its moves, a duplicate's too; whether it was one. */
  clear(key: string): boolean {
    const wasFrozen = this.isFrozen(key);
    this.#moved.delete(key);
    return wasFrozen;
  }

  /** Forgets what no longer counts. */
  prune(): void {
    const now = this.#clock.monotonic();
    for (const key of this.#moved.keys())
      if (!this.isFrozen(key) && this.#recent(key, now).length === 0) this.#moved.delete(key);
  }

  #recent(key: string, now: number): readonly number[] {
    const moved = this.#moved.get(key);
    if (moved?.frozenUntil !== undefined) return [];
    return moved?.times.filter((time) => time > now - MOVES_MS) ?? [];
  }
}
