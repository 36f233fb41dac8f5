const FIRST_MS = 30_000;
const LONGEST_MS = 3_600_000;

/** Milliseconds until the next try after so many that failed; `random` from 0 to 1 keeps a fleet apart. */
export function retryDelay(failures: number, random: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1)) * (0.75 + random / 2);
}
