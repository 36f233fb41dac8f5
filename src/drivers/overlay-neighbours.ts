import { familyOf, hostRange, ipToNumber } from '../model/ip.ts';
import type { Endpoint, OverlayNetwork } from '../model/network.ts';
import type { Neighbour, Remote } from '../model/peer.ts';
import type { HostView, LinkSpec } from './driver.ts';
import { ANSWERS, linkName, networkAlias } from './naming.ts';
import { reachablePeers } from './overlay-peers.ts';

/** Of one network; for further ones is asked at all sites. Their records hold some 4000 addresses each. */
export const NEIGHBOURS_MAX = 16_384;

/**
 * Workloads at other sites for whose addresses this gateway answers itself. Anybody may have written the records, so it
 * is no address but of the network's subnets, none of its routers', and none of a workload here. One that two
 * MACs have is a duplicate, and one of a gateway that is away may be anywhere by now: for those is asked as ever.
 */
export function neighboursOf(
  network: OverlayNetwork,
  endpoints: readonly Endpoint[],
  all: readonly Remote[],
  host: HostView,
): readonly Neighbour[] {
  const own = endpoints.flatMap(({ addresses }) => addresses.map(({ address }) => address));
  const refused = new Set([...network.gateways, ...own]);
  const claims = reachablePeers(network, all, host).remotes.flatMap(({ macs, away = false }) =>
    macs.flatMap(({ m: mac, ip }) => ip.map((address) => ({ ip: address, mac, away }))),
  );
  const byAddress = Map.groupBy(claims, ({ ip }) => ip);
  const isHost = hostsOf(network);
  return [...byAddress.values()]
    .flatMap((claimed) => certain(claimed) ?? [])
    .filter(({ ip }) => !refused.has(ip) && isHost(ip))
    .map(({ ip, mac }) => ({ ip, mac }))
    .toSorted((a, b) => (a.ip < b.ip ? -1 : 1))
    .slice(0, NEIGHBOURS_MAX);
}

type Claim = Neighbour & { readonly away: boolean };

/** What all claims to an address say, where they say one thing. */
function certain(claims: readonly Claim[]): Claim | undefined {
  const [first] = claims;
  return claims.every(({ mac, away }) => mac === first?.mac && !away) ? first : undefined;
}

function hostsOf({ subnets }: OverlayNetwork): (address: string) => boolean {
  const ranges = subnets.map((subnet) => ({ ...hostRange(subnet), family: subnet.family }));
  return (address) => {
    const [family, value] = [familyOf(address), ipToNumber(address)];
    return ranges.some((range) => range.family === family && value >= range.first && value <= range.last);
  };
}

/** The interface by which answers reach whoever asked: a sibling of the workloads', in the host, which the host ignores. */
export function answererOf(network: OverlayNetwork, parent: string, mtu: number, host: HostView): LinkSpec {
  return {
    name: linkName('lsn', network.name),
    alias: networkAlias(host.gateway, network.name, ANSWERS),
    object: `network/${network.name}`,
    kind: { type: 'macvlan', parent, mode: 'bridge' },
    mtu,
    addresses: [],
  };
}
