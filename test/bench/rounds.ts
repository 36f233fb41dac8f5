import type { How, Measure, Values } from './measures.ts';
import type { Path } from './topologies/ends.ts';

/** The paths that are compared, by what carries them. */
export type RoundPlan<Name extends string> = {
  readonly number: number;
  readonly paths: ReadonlyMap<Name, Path>;
  readonly measures: readonly Measure[];
  readonly how: How;
};

/** A round starts one further on than the last, so that none always follows the same. */
export function rotated<Item>(items: readonly Item[], by: number): readonly Item[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/**
 * Every path once for each measure, one straight after the other: what is compared lies seconds apart, within the same
 * minute of a machine whose speed drifts.
 */
export async function takeRound<Name extends string>(
  { number, paths, measures, how }: RoundPlan<Name>,
  say: (line: string) => void,
): Promise<Readonly<Partial<Record<Name, Values>>>> {
  const round: Partial<Record<Name, Values>> = {};
  for (const measure of measures) {
    for (const [name, path] of rotated([...paths], number)) {
      const values = await measure.take(path, how);
      const said = told(values);
      if (said) say(`${name}: ${said}`);
      round[name] = { ...round[name], ...values };
    }
  }
  return round;
}

const told = (values: Values): string =>
  Object.entries(values)
    .map(([metric, value]) => `${metric} ${value.toPrecision(3)}`)
    .join(', ');
