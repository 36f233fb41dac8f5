import { dnsName } from '../model/dns-name.ts';
import { type DesiredState, type Endpoint, endpointKey, type Network, type OverlayNetwork } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import type { Mac } from '../model/mac.ts';
import type { MacEntry, RemotesByVni } from '../model/peer.ts';
import type { Vni } from '../model/vni.ts';
import type { PeerDirectory } from '../peers/directory.ts';
import type { LocalState } from '../peers/publisher.ts';
import { MAX_NAMES_PER_MAC } from '../peers/record.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import { attachedLink } from '../status/snapshot.ts';

function overlays(desired: Pick<DesiredState, 'networks'>): readonly OverlayNetwork[] {
  return desired.networks.flatMap((network) => (network.driver === 'overlay' ? [network] : []));
}

/** What this gateway tells its peers: its VTEP, and for each VNI the MACs that the kernel really holds. */
export function localState(view: CycleView, port: number): LocalState {
  const { underlay } = view.seen;
  return {
    vteps: underlay === undefined ? [] : [{ ip: underlay.address, port }],
    networks: overlays(view.desired)
      .filter((network) => underlay !== undefined && view.intent.networks.has(network.name))
      .map((network) => ({
        vni: network.vni,
        mtu: view.intent.networks.get(network.name)?.mtu ?? 0,
        bum: network.bum.kind === 'replicate' ? 'replicate' : `multicast:${network.bum.group}`,
        macs: macsOf(view, network.name),
      })),
  };
}

/** A workload's MAC is ours by construction: sticky, and it never moves by learning. */
function macsOf(view: CycleView, network: string): readonly MacEntry[] {
  return view.desired.endpoints.flatMap((endpoint): readonly MacEntry[] => {
    const link = endpoint.network === network ? attachedLink(view, endpoint) : undefined;
    if (link === undefined) return [];
    const ip = endpoint.addresses.map((address) => address.address);
    return [{ m: link.mac as Mac, ip, q: 0, s: 1, n: namesOf(endpoint) }];
  });
}

/** What DNS calls the workload on this network: its name first, then its aliases. */
export function namesOf({ workload, anonymous, aliases = [] }: Endpoint): readonly string[] {
  const names = [...(anonymous ? [] : [workload]), ...aliases].flatMap((name) => dnsName(name) ?? []);
  return [...new Set(names)].slice(0, MAX_NAMES_PER_MAC);
}

export function ownMacs(view: CycleView): ReadonlyMap<Vni, ReadonlySet<Mac>> {
  return new Map(overlays(view.desired).map(({ vni, name }) => [vni, new Set(macsOf(view, name).map(({ m }) => m))]));
}

/** By object: our workloads whose MAC another gateway's workload has too. */
export function duplicateProblems(view: CycleView, directory: PeerDirectory): ReadonlyMap<string, Problem> {
  const problems = new Map<string, Problem>();
  for (const { mac, vni, gateway } of directory.duplicates()) {
    const network = overlays(view.desired).find((candidate) => candidate.vni === vni);
    const endpoint = view.desired.endpoints.find((e) => e.network === network?.name && e.mac === mac);
    if (endpoint === undefined) continue;
    const { workload } = endpoint;
    const path = `/spec/workloads/${workload}/networks/${endpoint.network}/mac`;
    const message = `workload ${workload}: gateway ${gateway} has a workload with the same MAC ${mac} on VNI ${vni}; rename one of the two, or give one a "mac"`;
    problems.set(`endpoint/${endpointKey(endpoint)}`, { path, code: 'duplicate_mac', message });
  }
  return problems;
}

export function remotesByVni(networks: readonly Network[], directory: PeerDirectory): RemotesByVni {
  return new Map(overlays({ networks }).map((network) => [network.vni, directory.remotes(network.vni)]));
}
