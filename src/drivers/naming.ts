import { createHash } from 'node:crypto';

const IFNAME_MAX = 15;

type LinkPrefix = `ls${'v' | 'o' | 'q' | 'x' | 'u' | 'b' | 's' | 'n' | 'p' | 't'}`;

/**
 * A stable interface name: `<prefix>-<name>` where that fits Linux's 15 characters, otherwise shortened with a hash.
 * Prefixes: lsv VLAN link, lso VLAN link of a service provider's tag, lsq VLAN link on one of those, lsx vxlan device,
 * lsu TAP of the user engine, lsb bridge, lss the host's shim, lsn the interface that answers for neighbours, lsp a veth's
 * host end, lst a link on its way to a sandbox.
 */
export function linkName(prefix: LinkPrefix, name: string): string {
  const plain = `${prefix}-${name}`;
  if (plain.length <= IFNAME_MAX && !name.includes('/')) return plain;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 6);
  return `${prefix}-${name.replaceAll('/', '').slice(0, 5)}${hash}`;
}

/** The alias (`ip link show`) by which a link of a network is known as this gateway's. */
export function networkAlias(gateway: string, network: string, role: string): string {
  return `${aliasPrefix(gateway)}network/${network}/${role}`;
}

/** The alias of a link that networks of one uplink share. Which of them it was made for must not matter to it. */
export function uplinkAlias(gateway: string, device: string, role: string): string {
  return `${aliasPrefix(gateway)}uplink/${device}/${role}`;
}

/** The role of a bridge that only carries frames. */
export const SWITCH = 'switch';

/** The role of an interface by which answers go to whoever asked for a neighbour. */
export const ANSWERS = 'answers';

/** Whether an alias is that of such a bridge. */
export function isSwitch(alias: string): boolean {
  return roleIn(alias) === SWITCH;
}

/** Whether an alias is that of such an interface. */
export function isAnswerer(alias: string): boolean {
  return roleIn(alias) === ANSWERS;
}

function roleIn(alias: string): string | undefined {
  const [kind = '', , role] = alias.split('/');
  return kind.endsWith(':network') ? role : undefined;
}

/** The names in the host of an endpoint's link, until it is moved into its sandbox, and of a veth's other end. */
export function linkNames({ workload, network }: { readonly workload: string; readonly network: string }): {
  readonly temporary: string;
  readonly hostEnd: string;
} {
  const key = `${workload}/${network}`;
  return { temporary: linkName('lst', key), hostEnd: linkName('lsp', key) };
}

export function endpointAlias(gateway: string, workload: string, network: string): string {
  return `${aliasPrefix(gateway)}endpoint/${workload}/${network}`;
}

const ALIAS_MAX = 255;

/**
 * The alias with what was set on the interface: `linkspan:<gw>:endpoint/<w>/<n> 10.0.0.5/24,via 10.0.0.1`. So a later
 * address change takes away exactly what Linkspan gave, and nothing that the workload gave itself. Where that is too long
 * for the kernel a digest stands for it: it tells only whether something changed (see `isDigest`).
 */
export function withMemo(alias: string, memo: readonly string[]): string {
  const text = memo.join(',');
  if (memo.length === 0) return alias;
  return alias.length + 1 + text.length > ALIAS_MAX ? `${alias} ${digestOf(text)}` : `${alias} ${text}`;
}

function digestOf(text: string): string {
  return `=${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}

/** Whether the memo does not say what was set, only whether it is the same. */
export function isDigest(memo: readonly string[]): boolean {
  return memo[0]?.startsWith('=') ?? false;
}

/** The two parts of an alias made by `withMemo`. */
export function splitAlias(full: string): { readonly alias: string; readonly memo: readonly string[] } {
  const [alias = '', memo = ''] = full.split(/ (.*)/s);
  return { alias, memo: memo === '' ? [] : memo.split(',') };
}

export function aliasPrefix(gateway: string): string {
  return `linkspan:${gateway}:`;
}
