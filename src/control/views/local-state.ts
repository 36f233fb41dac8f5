import { dnsName } from '../../model/dns-name.ts';
import { formatIpPrefix, networkOf } from '../../model/ip.ts';
import {
  type DesiredState,
  type Endpoint,
  endpointKey,
  type Network,
  type OverlayNetwork,
} from '../../model/network.ts';
import type { Problem } from '../../model/problem.ts';
import type { Mac } from '../../model/mac.ts';
import type { MacEntry, RemotesByVni } from '../../model/peer.ts';
import type { DeviceClaims } from '../../peers/devices.ts';
import type { PeerDirectory } from '../../peers/directory.ts';
import type { Duplicate, OwnMacs } from '../../peers/duplicates.ts';
import type { LocalState } from '../../peers/publisher.ts';
import { MAX_NAMES_PER_MAC } from '../../peers/macs.ts';
import { TUNNEL_PROBE } from '../../model/tunnel.ts';
import type { CycleView } from '../../reconcile/cycle.ts';
import { guardsObject } from '../../reconcile/guards/plan-guards.ts';
import { attachedLink } from '../../status/snapshot.ts';

function overlays(desired: Pick<DesiredState, 'networks'>): readonly OverlayNetwork[] {
  return desired.networks.flatMap((network) => (network.driver === 'overlay' ? [network] : []));
}

/** What this gateway tells its peers: its VTEP, and for each VNI the MACs that the kernel really holds, devices' last. */
export function localState(view: CycleView, port: number, devices: DeviceClaims): LocalState {
  const { underlay } = view.seen;
  return {
    vteps: underlay === undefined ? [] : [{ ip: underlay.address, port }],
    networks: overlays(view.desired)
      .filter((network) => underlay !== undefined && view.intent.networks.has(network.name))
      .map((network) => ({
        vni: network.vni,
        mtu: view.intent.networks.get(network.name)?.mtu ?? 0,
        bum: network.bum.kind === 'replicate' ? 'replicate' : `multicast:${network.bum.group}`,
        macs: [...macsOf(view, network.name), ...devices.entries(network.vni)],
        caps: answersProbes(view, network.name) ? [TUNNEL_PROBE] : [],
        routes: network.subnets.map((subnet) => ({ p: formatIpPrefix(networkOf(subnet)) })),
      })),
  };
}

/** Whether the network's port sends tunnel probes back: by its rules, of which the service has no part. */
export function answersProbes({ intent, seen, problems }: CycleView, network: string): boolean {
  const wanted = intent.networks.get(network)?.guards?.tunnel !== undefined;
  return wanted && seen.guards.tunnel && !problems.has(guardsObject(`network/${network}`));
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

export function ownMacs(view: CycleView, devices: DeviceClaims): OwnMacs {
  return new Map(
    overlays(view.desired).map(({ vni, name }) => [vni, [...macsOf(view, name), ...devices.entries(vni)]]),
  );
}

/** By object: our workloads whose MAC or address another gateway's workload has too. */
export function duplicateProblems(view: CycleView, directory: PeerDirectory): ReadonlyMap<string, Problem> {
  const problems = new Map<string, Problem>();
  for (const duplicate of directory.duplicates()) {
    const network = overlays(view.desired).find(({ vni }) => vni === duplicate.vni);
    for (const endpoint of view.desired.endpoints.filter((e) => e.network === network?.name)) {
      const problem = duplicateOf(endpoint, duplicate);
      const object = `endpoint/${endpointKey(endpoint)}`;
      // One MAC twice is the worse of the two: no frame finds its way then.
      if (problem !== undefined && problems.get(object)?.code !== 'duplicate_mac') problems.set(object, problem);
    }
  }
  return problems;
}

function duplicateOf({ workload, network, mac, addresses }: Endpoint, duplicate: Duplicate): Problem | undefined {
  const { gateway, vni } = duplicate;
  const path = `/spec/workloads/${workload}/networks/${network}`;
  const who = `workload ${workload}: gateway ${gateway} has a workload with the same`;
  if (duplicate.sameMac && mac === duplicate.mac) {
    const message = `${who} MAC ${mac} on VNI ${vni}; rename one of the two, or give one a "mac"`;
    return { path: `${path}/mac`, code: 'duplicate_mac', message };
  }
  const shared = addresses.find(({ address }) => duplicate.addresses.includes(address));
  if (shared === undefined) return undefined;
  const message = `${who} address ${shared.address} on VNI ${vni} (its MAC is ${duplicate.mac}); give one of the two another`;
  return { path: `${path}/${shared.family === 4 ? 'address' : 'address6'}`, code: 'duplicate_address', message };
}

export function remotesByVni(networks: readonly Network[], directory: PeerDirectory): RemotesByVni {
  return new Map(overlays({ networks }).map((network) => [network.vni, directory.remotes(network.vni)]));
}
