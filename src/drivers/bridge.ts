import type { ObservedLink } from '../host/links.ts';
import { contains, formatIpPrefix, overlaps, parseIpPrefix } from '../model/ip.ts';
import type { BridgeNetwork } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import { type NetworkDriver, type NetworkSpec, waitingFor } from './driver.ts';
import { linkName, networkAlias } from './naming.ts';

const DEFAULT_MTU = 1500;

/** A network inside the gateway: a bridge that is its workloads' router, and masquerades what leaves. */
export const bridge: NetworkDriver<BridgeNetwork> = {
  specify(network, _endpoints, _remotes, host): NetworkSpec | Problem {
    const name = linkName('lsb', network.name);
    const clash = overlapping(network, host.links);
    if (clash !== undefined) return waitingFor(network, clash, 'subnet_overlap');
    const mtu = network.mtu ?? host.underlay?.mtu ?? DEFAULT_MTU;
    const { gateway, subnets } = network;
    const subnet = subnets.find((prefix) => gateway !== undefined && contains(prefix, gateway));
    const router = subnet && gateway !== undefined ? formatIpPrefix({ ...subnet, address: gateway }) : undefined;
    return {
      links: [
        {
          name,
          alias: networkAlias(host.gateway, network.name, 'bridge'),
          object: `network/${network.name}`,
          kind: { type: 'bridge' },
          mtu,
          addresses: router === undefined ? [] : [router],
        },
      ],
      attachment: { type: 'veth', bridge: name },
      mtu,
      gateways: gateway === undefined ? [] : [gateway],
      fdb: [],
      routes: [],
      nat: subnet?.family === 4 ? { bridge: name, subnet } : undefined,
      engine: undefined,
      datapath: undefined,
      shim: name,
    };
  },
};

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
