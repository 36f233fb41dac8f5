import type { ObservedTable } from '../../../src/host/firewall.ts';

/** What nft lists of a body of ours: its chains, and the elements of its sets and maps. */
export function tableOf(body: string, fingerprint: string): ObservedTable {
  const chains = [...body.matchAll(/chain (\w+)/g)].map((match) => match[1] ?? '');
  const sets = [...body.matchAll(/(?:set|map) (\w+) \{\n.*\n(?: *elements = \{ (.*) \}\n)?/g)];
  const elements = sets.map(([, name = '', held = '']) => [name, new Map(held.split(', ').map(parted))] as const);
  return { fingerprint, chains, elements: new Map(elements) };
}

function parted(element: string): [string, string] {
  const [key = '', value = ''] = element.split(' : ').map((part) => part.replaceAll('"', '').split(' . ').join(' '));
  return [key, value];
}
