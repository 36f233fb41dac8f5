/** Time as the program sees it; tests pass their own. */
export interface Clock {
  /** milliseconds since 1970, may jump */
  now(): number;
  /** milliseconds since some start, never jumps */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
