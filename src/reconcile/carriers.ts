import type { ObservedLink } from '../host/links.ts';

/**
 * These links, and those of VLANs that they hang on: with a VLAN's link the kernel deletes all that is on it.
 * @param names of links of the same namespace
 */
export function withCarriers(names: Iterable<string>, links: readonly ObservedLink[]): ReadonlySet<string> {
  const wanted = new Set(names);
  return new Set([...wanted, ...links.filter(({ name }) => wanted.has(name)).flatMap((link) => below(link, links))]);
}

function below({ kind, parent, parentElsewhere }: ObservedLink, links: readonly ObservedLink[]): readonly string[] {
  const carrier = kind === 'vlan' && !parentElsewhere ? links.find(({ index }) => index === parent) : undefined;
  return carrier === undefined ? [] : [carrier.name, ...below(carrier, links)];
}
