import type { HostRoute } from '../host/routes.ts';
import { contains, familyOf, parseIpPrefix } from '../model/ip.ts';
import type { Endpoint, SiteNetwork } from '../model/network.ts';
import type { LinkKind, LinkSpec } from './driver.ts';
import { linkName, networkAlias } from './naming.ts';
import type { Wire } from './wire.ts';

/** The host's own interface on a network of its wire; `note` is its name, or why there is none. */
export type Shim = {
  readonly links: readonly LinkSpec[];
  readonly routes: readonly HostRoute[];
  readonly note: string;
};

/**
 * The kernel hands no frame from a parent to its own children, so the host reaches them through a child of its own and
 * one route for each workload, with the parent's address as source.
 */
export function shimOn(network: SiteNetwork, endpoints: readonly Endpoint[], wire: Wire, gateway: string): Shim {
  if (!network.shim) return none('off: the host does not reach these workloads');
  if (network.driver === 'macvlan' && network.mode !== 'bridge') {
    return none(`none: mode ${network.mode} lets no other child reach a workload`);
  }
  const name = linkName('lss', network.name);
  const routes = endpoints
    .flatMap((endpoint) => endpoint.addresses)
    .flatMap(({ address }) => routeTo(address, name, network, wire) ?? []);
  if (routes.length === 0) return none(`none: ${wire.name} has no address in the workloads' subnet`);
  const link: LinkSpec = {
    name,
    alias: networkAlias(gateway, network.name, 'shim'),
    object: `network/${network.name}`,
    kind: kindOf(network, wire),
    mtu: wire.mtu,
    addresses: network.driver === 'macvlan' ? answeredFor(routes) : [],
  };
  return { links: [link], routes, note: name };
}

function none(note: string): Shim {
  return { links: [], routes: [], note };
}

function kindOf(network: SiteNetwork, { name: parent }: Wire): LinkKind {
  if (network.driver === 'ipvlan') return { type: 'ipvlan', parent, mode: network.mode };
  return { type: 'macvlan', parent, mode: 'bridge' };
}

/**
 * IPv6 answers a neighbour's question only on an interface that has the address; IPv4 answers on any. On an ipvlan shim
 * such an address would draw to it what the wire sends to the parent.
 */
function answeredFor(routes: readonly HostRoute[]): readonly string[] {
  const sources = new Set(routes.map((route) => route.source));
  return [...sources].filter((source) => familyOf(source) === 6).map((source) => `${source}/128`);
}

/**
 * In ipvlan's l2 mode a workload's answer to the host's question for it goes to the parent, where nobody asked: so the
 * host is told, and need not ask.
 */
function routeTo(to: string, device: string, network: SiteNetwork, wire: Wire): HostRoute | undefined {
  const source = sourceFor(wire, to, network.driver === 'ipvlan' && network.mode !== 'l2');
  if (source === undefined) return undefined;
  const told = network.driver === 'ipvlan' && network.mode === 'l2' ? wire.seen?.mac : undefined;
  return { to, device, source, ...(told !== undefined && { neighbour: told }) };
}

/** The parent's own address in the subnet that holds `target`; of one that is routed to, any of its family. */
function sourceFor({ addresses }: Wire, target: string, routed: boolean): string | undefined {
  const own = addresses.flatMap((text) => parseIpPrefix(text) ?? []);
  const near = own.find((prefix) => contains(prefix, target));
  const any = own.find(({ family }) => family === familyOf(target));
  return (near ?? (routed ? any : undefined))?.address;
}
