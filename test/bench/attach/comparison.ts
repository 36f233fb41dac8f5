import type { Spread } from '../statistics.ts';
import { ratiosOf, spreadOf } from '../statistics.ts';

/** What is compared: a network of Linkspan's driver, and one of Docker's own driver of the same kind. */
export const SIDES = ['linkspan', 'docker'] as const;
export type Side = (typeof SIDES)[number];

/** What one round gave on both sides. */
export type Pair = Readonly<Record<Side, number>>;

type Figure = Spread & { readonly rounds: readonly number[] };

/** Linkspan beside Docker; `ratio` is made round by round. */
export type Comparison = Readonly<Record<Side, Figure>> & { readonly ratio: Spread };

/** Of at least one round. */
export function compare(pairs: readonly Pair[]): Comparison {
  const [linkspan, docker] = [pairs.map((pair) => pair.linkspan), pairs.map((pair) => pair.docker)];
  return {
    linkspan: { ...spreadOf(linkspan), rounds: linkspan },
    docker: { ...spreadOf(docker), rounds: docker },
    ratio: ratiosOf(linkspan, docker),
  };
}
