export type Spread = { readonly median: number; readonly min: number; readonly max: number };

/** Median, least and greatest of at least one number. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}

/** Round by round ratios: a round's own noise, common to both sides, drops out. */
export function ratiosOf(values: readonly number[], base: readonly number[]): Spread {
  return spreadOf(values.map((value, index) => value / (base[index] ?? Number.NaN)));
}

/** The least value that so many per cent do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? Number.NaN;
}
