import type { GuardDirection, GuardReason } from '../../model/guards.ts';

/** What is done with frames that a match of nftables holds for; an empty one holds for all. */
export type Rule = { readonly match: string; readonly verdict: (way: GuardDirection) => string };

/** Rules for frames of one direction; the chain `port` is where they come in. */
export type Chain = { readonly name: 'port' | ChainName; readonly rules: readonly Rule[] };

type ChainName =
  | 'unicast'
  | 'services'
  | 'ports'
  | 'groups'
  | 'neighbours'
  | 'probes'
  | 'prober'
  | 'limited'
  | 'tunnel';

const HOOKS: Readonly<Record<GuardDirection, string>> = { in: 'ingress', out: 'egress' };

export function accept(match: string): Rule {
  return { match, verdict: () => 'accept' };
}

/** Counted by its reason and direction. */
export function drop(match: string, reason: GuardReason): Rule {
  return { match, verdict: (way) => `counter name ${reason}_${way} drop` };
}

/** A whole rule that names what each direction has of its own. */
export function each(rule: (way: GuardDirection) => string): Rule {
  return { match: '', verdict: rule };
}

/** `goto` does not come back; at its end the frame passes. */
export function go(match: string, how: 'goto' | 'jump', chain: ChainName): Rule {
  return { match, verdict: (way) => `${how} ${chain}_${way}` };
}

/** The chain as nft reads it, one for each direction. @param device whose frames `port` takes */
export function render({ name, rules }: Chain, way: GuardDirection, device: string): string {
  const hook = `    type filter hook ${HOOKS[way]} device "${device}" priority filter; policy accept;\n`;
  const lines = rules.map(({ match, verdict }) => `    ${match}${match === '' ? '' : ' '}${verdict(way)}\n`);
  return `  chain ${name}_${way} {\n${name === 'port' ? hook : ''}${lines.join('')}  }\n`;
}
