export type Backoff = {
  /** shortest and longest wait between two attempts */
  readonly backoffMs?: readonly [min: number, max: number];
  readonly random?: () => number;
};

const BACKOFF_MS = [1000, 30_000] as const;

/**
 * Milliseconds to wait before the next attempt. Full jitter: after a broker's restart the gateways of a fleet must not
 * come back in step.
 */
export function waitBefore(attempt: number, { backoffMs = BACKOFF_MS, random = Math.random }: Backoff): number {
  const [min, max] = backoffMs;
  const ceiling = Math.min(max, min * 2 ** Math.min(attempt + 1, 20));
  return min + random() * (ceiling - min);
}
