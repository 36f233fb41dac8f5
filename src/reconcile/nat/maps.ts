import type { FlowTarget } from '../../host/conntrack.ts';
import type { ObservedTable } from '../../host/firewall.ts';
import type { Protocol } from '../../model/network.ts';
import type { Translation } from './translations.ts';

/** The maps of our table: `ports` by protocol and port, `bound` by the gateway's address before these. */
type PortMap = { readonly name: string; readonly family: 4 | 6; readonly bound: boolean };

/** In the order in which they are asked: a port at one address comes before the same at all of them. */
const MAPS: readonly PortMap[] = [
  { name: 'bound4', family: 4, bound: true },
  { name: 'bound6', family: 6, bound: true },
  { name: 'ports4', family: 4, bound: false },
  { name: 'ports6', family: 6, bound: false },
];

const ADDRESS: Readonly<Record<4 | 6, string>> = { 4: 'ipv4_addr', 6: 'ipv6_addr' };
const IP: Readonly<Record<4 | 6, string>> = { 4: 'ip', 6: 'ip6' };

function entriesOf(map: PortMap, translations: readonly Translation[]): readonly Translation[] {
  return translations.filter(
    ({ family, hostAddress }) => family === map.family && (hostAddress !== undefined) === map.bound,
  );
}

/** Declares the maps that have entries. */
export function declareMaps(translations: readonly Translation[]): string {
  return MAPS.map((map) => declareMap(map, entriesOf(map, translations))).join('');
}

function declareMap({ name, family, bound }: PortMap, entries: readonly Translation[]): string {
  if (entries.length === 0) return '';
  const type = `${bound ? `${ADDRESS[family]} . ` : ''}inet_proto . inet_service : ${ADDRESS[family]} . inet_service`;
  const elements = entries.map((entry) => `${keyOf(entry).join(' . ')} : ${entry.address} . ${entry.port}`);
  return `  map ${name} {
    type ${type}
    elements = { ${elements.join(', ')} }
  }\n`;
}

/** Of one entry, as `nft` lists it. */
function keyOf({ hostAddress, protocol, hostPort }: Omit<FlowTarget, 'target'>): readonly string[] {
  return [...(hostAddress === undefined ? [] : [hostAddress]), protocol, String(hostPort)];
}

/** The rules that ask the maps; only for packets to the gateway itself. */
export function translateRules(translations: readonly Translation[]): string {
  const used = MAPS.filter((map) => entriesOf(map, translations).length > 0);
  return used
    .map(({ name, family, bound }) => {
      const key = `${bound ? `${IP[family]} daddr . ` : ''}meta l4proto . th dport`;
      return `    fib daddr type local dnat ${IP[family]} to ${key} map @${name}\n`;
    })
    .join('');
}

/** The ports that lead to workloads in the kernel. */
export function readMaps(table: ObservedTable | undefined): readonly FlowTarget[] {
  return MAPS.flatMap(({ name, family, bound }) =>
    [...(table?.elements.get(name) ?? [])].map(([key, value]): FlowTarget => {
      const words = key.split(' ');
      const [protocol = '', port = ''] = bound ? words.slice(1) : words;
      const [address = '', inside = ''] = value.split(' ');
      return {
        family,
        protocol: protocol as Protocol,
        hostAddress: bound ? words[0] : undefined,
        hostPort: Number(port),
        target: { address, port: Number(inside) },
      };
    }),
  );
}

/**
 * The ports whose flows may go astray once `translations` hold: of UDP all that change, of the others those that lead to
 * another workload now. A connection whose port is no longer published lives on.
 */
export function changedTargets(
  before: readonly FlowTarget[],
  translations: readonly Translation[],
): readonly FlowTarget[] {
  const after = translations.map((one) => targetOf(one, { address: one.address, port: one.port }));
  const old = new Map(before.map((one) => [nameOf(one), one.target]));
  const kept = new Set(after.map((one) => nameOf(one)));
  const gone = before.filter((one) => one.protocol === 'udp' && !kept.has(nameOf(one)));
  const changed = after.filter((one) => {
    const previous = old.get(nameOf(one));
    if (previous === undefined) return one.protocol === 'udp';
    return previous.address !== one.target?.address || previous.port !== one.target.port;
  });
  return [...gone.map((one) => targetOf(one, undefined)), ...changed];
}

const nameOf = (one: Omit<FlowTarget, 'target'>): string => [one.family, ...keyOf(one)].join(' ');

function targetOf(
  { family, protocol, hostAddress, hostPort }: Omit<FlowTarget, 'target'>,
  target: FlowTarget['target'],
): FlowTarget {
  return { family, protocol, hostAddress, hostPort, target };
}
