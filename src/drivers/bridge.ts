import type { ObservedLink } from '../host/links.ts';
import { contains, formatIpPrefix, type IpPrefix, overlaps, parseIpPrefix } from '../model/ip.ts';
import { deriveMac } from '../model/derived-mac.ts';
import type { BridgeNetwork } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import { defaultRouters, type NetworkDriver, type NetworkSpec, waitingFor } from './driver.ts';
import { linkName, networkAlias } from './naming.ts';

/**
 * A bridge without a MAC of its own takes the lowest of its ports', another with each workload that comes or goes: the
 * others' way to their router was measured dark for 6.6 s. No workload has this name.
 */
const ROUTER = 'the router';
/** What a bridge takes, and a veth; an underlay on the loopback has one byte more. */
const [DEFAULT_MTU, MTU_MAX] = [1500, 65_535];

/** A network inside the gateway: a bridge that is its workloads' router, and what passes it is up to `reconcile/nat`. */
export const bridge: NetworkDriver<BridgeNetwork> = {
  specify(network, _endpoints, _remotes, host): NetworkSpec | Problem {
    const name = linkName('lsb', network.name);
    const clash = overlapping(network, host.links);
    if (clash !== undefined) return waitingFor(network, clash, 'subnet_overlap');
    const mtu = Math.min(network.mtu ?? host.underlay?.mtu ?? DEFAULT_MTU, MTU_MAX);
    const { gateways, subnets, icc, masquerade, internal } = network;
    const routed = subnets.filter((subnet) => gateways.some((router) => contains(subnet, router)));
    return {
      links: [
        {
          name,
          alias: networkAlias(host.gateway, network.name, 'bridge'),
          object: `network/${network.name}`,
          kind: { type: 'bridge', mac: deriveMac(network.name, ROUTER) },
          mtu,
          addresses: routed.flatMap((subnet) => routersIn(subnet, gateways)),
        },
      ],
      attachment: { type: 'veth', bridge: name },
      mtu,
      gateways: defaultRouters(network),
      fdb: [],
      routes: [],
      nat: {
        bridge: name,
        subnets: routed,
        masquerade: masquerade !== false && internal !== true,
        icc: icc !== false,
        internal: internal === true,
      },
      engine: undefined,
      datapath: undefined,
      shim: name,
    };
  },
};

/** The network's routers inside the subnet, with its length. */
function routersIn(subnet: IpPrefix, gateways: readonly string[]): readonly string[] {
  return gateways.filter((router) => contains(subnet, router)).map((address) => formatIpPrefix({ ...subnet, address }));
}

/** The bridge's route would take the host's own way into that subnet: to its peers, its broker, its operator. */
function overlapping(network: BridgeNetwork, links: readonly ObservedLink[]): string | undefined {
  for (const { ours, name, addresses } of links) {
    if (ours) continue;
    for (const text of addresses) {
      const own = parseIpPrefix(text);
      const subnet = own && network.subnets.find((prefix) => prefix.family === own.family && overlaps(prefix, own));
      if (subnet)
        return `network ${network.name}: subnet ${formatIpPrefix(subnet)} overlaps ${text} of this gateway's ${name}, which it would cut off; use another subnet`;
    }
  }
  return undefined;
}
