import type { Namespace } from '../../lab/namespace.ts';

const OUR_GROUP = '19539';

type RawLink = {
  readonly ifindex: number;
  readonly ifname: string;
  readonly address?: string;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly group?: string;
  readonly ifalias?: string;
  readonly link?: string;
  readonly link_index?: number;
  readonly master?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: Record<string, unknown>;
    readonly info_slave_data?: Record<string, unknown>;
  };
  readonly addr_info: readonly {
    readonly family: string;
    readonly local: string;
    readonly prefixlen: number;
    scope: string;
  }[];
};
type RawRoute = { dst: string; dev?: string; gateway?: string; prefsrc?: string; protocol?: string };
type RawFdb = { mac: string; ifname: string; dst?: string; port?: number; state?: string };

type View = { readonly label: string; readonly links: readonly RawLink[] };

/** The parts of a link's own data in which two states can differ on purpose. */
const PORT_FLAGS = ['isolated', 'hairpin'];
const TELLING = ['id', 'group', 'group6', 'local', 'local6', 'port', 'learning', 'mode'];

/**
 * Everything that a document can change in the kernel, and everything that it must not, as sorted lines: links with
 * kind, MTU, alias, parent and master, addresses, routes, vxlan tables, nftables and who forwards, of the gateway's
 * namespace and of the sandboxes. Left out is what differs from run to run: indexes, random MACs, link-local addresses.
 */
export async function kernelState(gateway: Namespace, sandboxes: readonly Namespace[]): Promise<string> {
  const views = await Promise.all(
    [gateway, ...sandboxes].map(async (namespace): Promise<View> => {
      const links = await namespace.ipJson<RawLink[]>('-d', 'address', 'show');
      return { label: namespace.label, links };
    }),
  );
  const lines = await Promise.all([
    ...[gateway, ...sandboxes].map((namespace) => routeLines(namespace)),
    fdbLines(gateway),
    hostLines(gateway),
  ]);
  return [...views.map((view) => linkLines(view, views)), ...lines].map((part) => part.join('\n')).join('\n');
}

function linkLines(view: View, views: readonly View[]): string[] {
  return view.links.flatMap((link) => [describe(link, view, views), ...addresses(link, view.label)]).toSorted();
}

function describe(link: RawLink, view: View, views: readonly View[]): string {
  const { info_kind: kind = 'physical', info_data: data = {} } = link.linkinfo ?? {};
  const facts = TELLING.filter((key) => data[key] !== undefined).map((key) => `${key} ${String(data[key])}`);
  // Of ours in the gateway's namespace, the kernel picks the MACs.
  const random = link.group === OUR_GROUP && view === views[0];
  return [
    `${view.label} link ${link.ifname} ${kind} ${link.flags.includes('UP') ? 'up' : 'down'} mtu ${link.mtu}`,
    ...facts,
    ...(link.link_index === undefined && link.link === undefined ? [] : [`on ${parentName(link, view, views)}`]),
    ...(link.master === undefined ? [] : [`master ${link.master}`]),
    ...PORT_FLAGS.filter((flag) => link.linkinfo?.info_slave_data?.[flag] === true),
    ...(random ? [] : [`mac ${link.address ?? 'none'}`]),
    ...(link.group === undefined || link.group === 'default' ? [] : [`group ${link.group}`]),
    ...(link.ifalias === undefined ? [] : [`alias ${link.ifalias}`]),
  ].join(' ');
}

/** The parent or peer, in whichever namespace it is: a veth's peer is the one that points back. */
function parentName(link: RawLink, view: View, views: readonly View[]): string {
  if (link.link !== undefined) return link.link;
  const isVeth = link.linkinfo?.info_kind === 'veth';
  const found = views
    .flatMap((other) => other.links.map((candidate) => ({ label: other.label, candidate })))
    .filter(({ label, candidate }) => label !== view.label && candidate.ifindex === link.link_index)
    .find(({ label, candidate }) => (isVeth ? candidate.link_index === link.ifindex : label === views[0]?.label));
  return found === undefined ? 'elsewhere' : `${found.label}/${found.candidate.ifname}`;
}

function addresses(link: RawLink, label: string): string[] {
  return link.addr_info
    .filter((address) => !(address.family === 'inet6' && address.scope === 'link'))
    .map((address) => `${label} address ${link.ifname} ${address.local}/${address.prefixlen}`);
}

async function routeLines(namespace: Namespace): Promise<string[]> {
  const four = await namespace.ipJson<RawRoute[]>('-4', 'route', 'show');
  const six = await namespace.ipJson<RawRoute[]>('-6', 'route', 'show');
  return [...four, ...six]
    .filter((route) => !route.dst.startsWith('fe80:') && !route.dst.startsWith('ff00:'))
    .map(({ dst, dev, gateway, prefsrc, protocol }) => {
      const source = prefsrc === undefined ? '' : ` src ${prefsrc}`;
      const via = gateway === undefined ? '' : ` via ${gateway}`;
      return `${namespace.label} route ${dst}${via} dev ${dev ?? 'none'}${source} proto ${protocol ?? 'none'}`;
    })
    .toSorted();
}

async function fdbLines(gateway: Namespace): Promise<string[]> {
  const { stdout } = await gateway.exec('bridge', '-j', 'fdb', 'show');
  return (JSON.parse(stdout.trim() || '[]') as RawFdb[])
    .filter((row) => row.dst !== undefined)
    .map(
      (row) =>
        `${gateway.label} fdb ${row.ifname} ${row.mac} dst ${row.dst ?? ''}${row.port === undefined ? '' : ` port ${row.port}`} ${row.state ?? ''}`,
    )
    .toSorted();
}

/** Of loop probes' rules, new with each start of the service. */
const PROBE_KEY = /(@ll,144,96 (?:\{ )?0x)[0-9a-f]+(?=[0-9a-f]{8}\b)/g;

/** Of sets that frames fill, such as tunnel probes' tokens: what they hold is of the moment. */
const NOTED = /(flags dynamic.*\n(?:\s+timeout .*\n)?)\s+elements = \{[^}]*\}\n/g;

async function hostLines(gateway: Namespace): Promise<string[]> {
  const rules = await gateway.exec('nft', '--stateless', 'list', 'ruleset');
  return [
    `${gateway.label} forwards ${await devicesWith(gateway, 4, 'forwarding')}`,
    `${gateway.label} forwards IPv6 ${await devicesWith(gateway, 6, 'force_forwarding')}`,
    `${gateway.label} routers of IPv6 ${await devicesWith(gateway, 6, 'forwarding')}`,
    `${gateway.label} passes 127.0.0.0/8 ${await devicesWith(gateway, 4, 'route_localnet')}`,
    // In the order in which they came to be.
    ...rules.stdout
      .replaceAll(PROBE_KEY, '$1')
      .replaceAll(NOTED, '$1')
      .split(/^(?=table )/m)
      .map((table) => table.trim())
      .toSorted(),
  ];
}

/** The interfaces whose setting is 1. */
async function devicesWith(gateway: Namespace, family: 4 | 6, setting: string): Promise<string> {
  const found = await gateway.attempt('grep', '-lrw', '1', `/proc/sys/net/ipv${family}/conf`, `--include=${setting}`);
  const devices = [...found.stdout.matchAll(/conf\/([^/]+)\/\w+/g)].map((match) => match[1] ?? '');
  return devices.toSorted().join(' ') || 'nothing';
}
