import type { Problem } from '../model/problem.ts';

/** One problem for each item whose key an earlier item has; an undefined key clashes with nothing. */
export function clashes<T>(
  items: Iterable<T>,
  key: (item: T) => string | undefined,
  report: (item: T, earlier: T) => Problem,
): Problem[] {
  const seen = new Map<string, T>();
  const problems: Problem[] = [];
  for (const item of items) {
    const id = key(item);
    const earlier = id === undefined ? undefined : seen.get(id);
    if (earlier !== undefined) problems.push(report(item, earlier));
    else if (id !== undefined) seen.set(id, item);
  }
  return problems;
}
