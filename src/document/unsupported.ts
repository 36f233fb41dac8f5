import type { Problem } from '../model/problem.ts';
import { pointer, spoken } from './pointer.ts';
import type { RawDocument } from './raw.ts';

/** A place in the document (`*` stands for any name), and what it asks. */
type NotYet = readonly [place: string, what: string];

/**
 * What the format names and this version does not do. A document that asks for it is refused: an operator who asked
 * for a VLAN must not get an untagged network.
 */
const NOT_YET: readonly NotYet[] = [['/confirm', 'confirmed commit; leave this off']];

/** One problem for each thing in the document that this version does not do yet. */
export function findUnsupported(document: RawDocument): Problem[] {
  return NOT_YET.flatMap(([place, what]) =>
    find(document, place.slice(1).split('/')).map(({ path }) => ({
      path,
      code: 'unsupported' as const,
      message: `${spoken(path)}: this version does not support ${what}`,
    })),
  );
}

type Found = { readonly path: string; readonly value: unknown };

function find(root: unknown, place: readonly string[]): Found[] {
  return place.reduce<Found[]>(
    (found, key) => found.flatMap((parent) => children(parent, key)),
    [{ path: '', value: root }],
  );
}

function children({ path, value }: Found, key: string): Found[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value)
    .filter(([name]) => key === '*' || name === key)
    .map(([name, child]) => ({ path: path + pointer(name), value: child as unknown }));
}
