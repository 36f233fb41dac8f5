import { splitAlias } from '../drivers/naming.ts';
import { FLOOD, type FdbRow } from '../host/fdb.ts';
import type { ObservedLink } from '../host/links.ts';
import { formatIpPrefix } from '../model/ip.ts';
import { type Endpoint, endpointKey, type Network, sandboxPath } from '../model/network.ts';
import type { RemotesByVni } from '../model/peer.ts';
import { formatPublished } from '../model/published.ts';
import type { EndpointStatus, FdbEntry, NetworkStatus } from '../model/status.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import { guardsObject } from '../reconcile/guards/plan-guards.ts';
import { type GuardDrop, guardStatus } from './guards.ts';

/** The workload's interface as the kernel has it, or undefined where it is not attached. */
export function attachedLink(view: CycleView, endpoint: Endpoint): ObservedLink | undefined {
  const spec = view.intent.endpoints.find((candidate) => candidate.object === `endpoint/${endpointKey(endpoint)}`);
  const links = view.seen.sandboxes.get(sandboxPath(endpoint.sandbox))?.links ?? [];
  return links.find((link) => link.ours && splitAlias(link.alias).alias === spec?.alias);
}

export function networkStatuses(
  view: CycleView,
  remotes: RemotesByVni,
  drops: readonly GuardDrop[] = [],
): readonly NetworkStatus[] {
  return view.desired.networks.map((network) => {
    const spec = view.intent.networks.get(network.name);
    const attached = view.desired.endpoints.filter((e) => e.network === network.name && attachedLink(view, e));
    return {
      name: network.name,
      driver: network.driver,
      vni: network.driver === 'overlay' ? network.vni : null,
      vlan: vlanOf(network),
      engine: spec?.engine?.name ?? null,
      engine_reason: spec?.engine?.reason ?? null,
      mtu: spec?.mtu ?? null,
      endpoints: attached.length,
      peers: peerCount(network, remotes),
      shim: spec?.shim ?? null,
      guards: guardStatus(view, network.name, drops),
      problem: problemOf(view, network.name),
    };
  });
}

function problemOf({ problems }: CycleView, network: string): string | null {
  const object = `network/${network}`;
  return (problems.get(object) ?? problems.get(guardsObject(object)))?.message ?? null;
}

function vlanOf(network: Network): number | null {
  return network.driver === 'macvlan' ? (network.vlan ?? null) : null;
}

function peerCount(network: Network, remotes: RemotesByVni): number {
  return network.driver === 'overlay' ? (remotes.get(network.vni)?.length ?? 0) + network.peers.length : 0;
}

export function endpointStatuses(view: CycleView): readonly EndpointStatus[] {
  return view.desired.endpoints.map((endpoint) => {
    const link = attachedLink(view, endpoint);
    const problem = view.problems.get(`endpoint/${endpointKey(endpoint)}`);
    const failed = problem?.code === 'failed';
    return {
      workload: endpoint.workload,
      network: endpoint.network,
      interface: endpoint.interface,
      mac: link?.mac ?? endpoint.mac,
      addresses: link?.addresses ?? endpoint.addresses.map((address) => formatIpPrefix(address)),
      sandbox: sandboxPath(endpoint.sandbox),
      published: formatPublished(view.intent.nat.ports.get(`endpoint/${endpointKey(endpoint)}`) ?? []),
      state: stateOf(link !== undefined, failed),
      problem: problem?.message ?? null,
    };
  });
}

/** A half-made interface is there as well, so what failed is not attached. */
function stateOf(there: boolean, failed: boolean): EndpointStatus['state'] {
  if (failed) return 'failed';
  return there ? 'attached' : 'waiting';
}

/** The forwarding tables of both engines, with the gateway behind each VTEP, and our own workloads' MACs. */
export function fdbEntries(view: CycleView, remotes: RemotesByVni, gateway: string): readonly FdbEntry[] {
  return view.desired.networks.flatMap((network): readonly FdbEntry[] => {
    if (network.driver !== 'overlay') return [];
    const { name, vni } = network;
    const owners = new Map((remotes.get(vni) ?? []).map((remote) => [remote.vtep.ip, remote.gateway]));
    const remote = tableOf(view, name).map((row): FdbEntry => {
      const owner = owners.get(row.ip);
      const known = owner === undefined ? 'static' : 'peer';
      const origin = row.mac === FLOOD ? 'flood' : known;
      return { network: name, vni, mac: row.mac, vtep: row.ip, gateway: owner ?? '', origin };
    });
    const local = view.desired.endpoints.flatMap((endpoint): readonly FdbEntry[] => {
      const link = endpoint.network === name ? attachedLink(view, endpoint) : undefined;
      const vtep = view.seen.underlay?.address ?? '';
      return link === undefined ? [] : [{ network: name, vni, mac: link.mac, vtep, gateway, origin: 'local' }];
    });
    return [...local, ...remote];
  });
}

/** As the kernel holds it, or as the datapath was told. */
function tableOf(view: CycleView, network: string): readonly Pick<FdbRow, 'mac' | 'ip'>[] {
  const device = view.intent.links.find((link) => link.object === `network/${network}`)?.name ?? '';
  const told = view.intent.networks.get(network)?.datapath;
  if (told === undefined) return view.seen.fdb.get(device) ?? [];
  const targets = told.group === null ? told.peers.map((peer) => peer.vtep.ip) : [told.group];
  return [
    ...targets.map((ip) => ({ mac: FLOOD, ip })),
    ...told.peers.flatMap(({ vtep, macs }) => macs.map((mac) => ({ mac, ip: vtep.ip }))),
  ];
}
