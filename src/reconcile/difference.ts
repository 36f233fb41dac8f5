/** What is wanted and not there, and what is there and not wanted. */
export function difference<T>(
  want: readonly T[],
  have: readonly T[],
  key: (item: T) => string,
): { add: readonly T[]; remove: readonly T[] } {
  const wanted = new Set(want.map((item) => key(item)));
  const held = new Set(have.map((item) => key(item)));
  return {
    add: want.filter((item) => !held.has(key(item))),
    remove: have.filter((item) => !wanted.has(key(item))),
  };
}
