import { familyOf, formatIpPrefix, networkOf } from '../../model/ip.ts';
import type { OverlayNetwork } from '../../model/network.ts';
import type { Remote, RemotesByVni } from '../../model/peer.ts';
import type { Problem } from '../../model/problem.ts';
import type { CycleView } from '../../reconcile/cycle.ts';

/** By object: overlay networks to which another site's document gives another subnet. */
export function subnetProblems(
  { desired }: Pick<CycleView, 'desired'>,
  remotes: RemotesByVni,
): ReadonlyMap<string, Problem> {
  return new Map(
    desired.networks.flatMap((network): (readonly [string, Problem])[] => {
      const problem = network.driver === 'overlay' ? differing(network, remotes.get(network.vni) ?? []) : undefined;
      return problem ? [[`network/${network.name}`, problem]] : [];
    }),
  );
}

/** A site without a subnet of that family is no mistake: its workloads have other addresses, or none. */
function differing({ name, vni, subnets }: OverlayNetwork, remotes: readonly Remote[]): Problem | undefined {
  for (const subnet of subnets) {
    const [ours, field] = [formatIpPrefix(networkOf(subnet)), subnet.family === 4 ? 'subnet' : 'subnet6'];
    for (const { gateway, routes = [] } of remotes) {
      const theirs = routes.map(({ p }) => p).filter((p) => familyOf(p) === subnet.family);
      if (theirs.length === 0 || theirs.includes(ours)) continue;
      const message = `network ${name}: its subnet is ${ours} here and ${theirs.join(', ')} at gateway ${gateway}, on the same VNI ${vni}: workloads there and here may not find each other; give both documents one`;
      return { path: `/spec/networks/${name}/${field}`, code: 'subnet_mismatch', message };
    }
  }
  return undefined;
}
