import type { ObservedLink } from '../host/links.ts';
import type { HostRoute } from '../host/routes.ts';
import { contains, familyOf, parseIpPrefix } from '../model/ip.ts';
import type { Endpoint, MacvlanNetwork } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import {
  defaultRouters,
  type HostView,
  type LinkSpec,
  type NetworkDriver,
  type NetworkSpec,
  waitingFor,
} from './driver.ts';
import { linkName, networkAlias } from './naming.ts';
import { type Wire, wireOf } from './wire.ts';

/** Workloads with a MAC of their own on the site's wire: macvlan children of the uplink, or of one of its VLANs. */
export const macvlan: NetworkDriver<MacvlanNetwork> = {
  specify(network, endpoints, _remotes, host): NetworkSpec | Problem {
    const uplink = host.links.find((link) => link.name === network.uplink.interface);
    if (uplink === undefined) return missing(network);
    const wire = wireOf(network, uplink, host);
    const refusal = wire.seen && refuse(network, wire.seen, host);
    if (refusal !== undefined) return refusal;
    const shim = specifyShim(network, endpoints, wire, host.gateway);
    return {
      links: [...wire.links, ...shim.links],
      attachment: { type: 'macvlan', parent: wire.name, mode: network.mode },
      mtu: Math.min(network.mtu ?? wire.mtu, wire.mtu),
      gateways: defaultRouters(network),
      fdb: [],
      routes: shim.routes,
      nat: undefined,
      engine: undefined,
      datapath: undefined,
      shim: shim.note,
    };
  },
};

function missing(network: MacvlanNetwork): Problem {
  const { name, interface: device } = network.uplink;
  return waitingFor(
    network,
    `network ${network.name}: interface ${device} of uplink ${name} is gone; plug it in again`,
  );
}

/** A parent has one receive handler, so the kernel refuses macvlan on a bridge's port with a bare "busy". */
function refuse(network: MacvlanNetwork, parent: ObservedLink, host: HostView): Problem | undefined {
  if (parent.master !== undefined) {
    const message = `network ${network.name}: ${parent.name} is a port of ${parent.master} and can have no macvlan; use ${parent.master} as the uplink, or take ${parent.name} out of it`;
    return waitingFor(network, message, 'parent_busy');
  }
  const passthru = host.links.find(
    (link) => link.kind === 'macvlan' && link.parent === parent.index && link.data.mode === 'passthru' && !link.ours,
  );
  if (passthru === undefined) return undefined;
  const message = `network ${network.name}: ${parent.name} is taken whole by ${passthru.name} (passthru); remove that interface`;
  return waitingFor(network, message, 'parent_busy');
}

type Shim = { links: readonly LinkSpec[]; routes: readonly HostRoute[]; note: string };

/**
 * The kernel hands no frame from a parent to its own macvlan children, so the host reaches them through a child of its
 * own (bridge mode) and one route for each workload, with the parent's address as source.
 */
function specifyShim(network: MacvlanNetwork, endpoints: readonly Endpoint[], wire: Wire, gateway: string): Shim {
  if (!network.shim) return { links: [], routes: [], note: 'off: the host does not reach these workloads' };
  if (network.mode !== 'bridge') {
    return { links: [], routes: [], note: `none: mode ${network.mode} lets no other child reach a workload` };
  }
  const name = linkName('lss', network.name);
  const routes = endpoints
    .flatMap((endpoint) => endpoint.addresses)
    .flatMap((target): HostRoute[] => {
      const source = sourceFor(wire, target.address);
      return source === undefined ? [] : [{ to: target.address, device: name, source }];
    });
  if (routes.length === 0) {
    return { links: [], routes: [], note: `none: ${wire.name} has no address in the workloads' subnet` };
  }
  const link: LinkSpec = {
    name,
    alias: networkAlias(gateway, network.name, 'shim'),
    object: `network/${network.name}`,
    kind: { type: 'macvlan', parent: wire.name, mode: 'bridge' },
    mtu: wire.mtu,
    // IPv6 answers a neighbour's question only on an interface that has the address; IPv4 answers on any.
    addresses: [...new Set(routes.map((route) => route.source))]
      .filter((source) => familyOf(source) === 6)
      .map((source) => `${source}/128`),
  };
  return { links: [link], routes, note: name };
}

/** The parent's own address in the subnet that holds `target`. */
function sourceFor({ addresses }: Wire, target: string): string | undefined {
  return addresses.map((text) => parseIpPrefix(text)).find((own) => own !== undefined && contains(own, target))
    ?.address;
}
