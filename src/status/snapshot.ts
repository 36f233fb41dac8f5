import type { NetworkSpec } from '../drivers/driver.ts';
import { splitAlias } from '../drivers/naming.ts';
import { plantObject } from '../drivers/stretch.ts';
import { FLOOD, type FdbRow } from '../host/fdb.ts';
import type { ObservedLink } from '../host/links.ts';
import { formatIpPrefix } from '../model/ip.ts';
import { type Endpoint, endpointKey, isSite, type Network, sandboxPath } from '../model/network.ts';
import type { RemotesByVni } from '../model/peer.ts';
import { formatPublished } from '../model/published.ts';
import type { Vlan } from '../model/vlan.ts';
import type { EndpointStatus, FdbEntry, NetworkStatus } from '../model/status.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import { guardsObject } from '../reconcile/guards/plan-guards.ts';
import { type GuardDrop, guardStatus } from './guards.ts';
import { modeStatus } from './mode-words.ts';

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
    const { vlan = null, outerVlan = null } = placeOf(network);
    const attached = view.desired.endpoints.filter((e) => e.network === network.name && attachedLink(view, e));
    return {
      name: network.name,
      driver: network.driver,
      ...modeStatus(isSite(network) ? spec?.attachment : undefined),
      vni: network.driver === 'overlay' ? network.vni : null,
      vlan,
      outer_vlan: outerVlan,
      ...standing(spec),
      endpoints: attached.length,
      peers: peerCount(network, remotes),
      guards: guardStatus(view, network.name, drops),
      problem: problemOf(view, network.name),
    };
  });
}

function problemOf({ problems }: CycleView, network: string): string | null {
  const object = `network/${network}`;
  const told = [object, plantObject(object), guardsObject(object)].map((one) => problems.get(one));
  return told.find((one) => one !== undefined)?.message ?? null;
}

/** As it stands in the host; nulls while it does not. */
function standing(
  spec: NetworkSpec | undefined,
): Pick<NetworkStatus, 'driver_reason' | 'engine' | 'engine_reason' | 'mtu' | 'shim'> {
  return {
    driver_reason: spec?.instead ?? null,
    engine: spec?.engine?.name ?? null,
    engine_reason: spec?.engine?.reason ?? null,
    mtu: spec?.mtu ?? null,
    shim: spec?.shim ?? null,
  };
}

function placeOf(network: Network): Vlan {
  if (network.driver === 'overlay') return network.stretch ?? {};
  return isSite(network) ? network : {};
}

/** MACs of devices of the plant that a stretched network's bridge has learned. */
export function devicesOf({ intent, seen }: Pick<CycleView, 'intent' | 'seen'>, network: string): readonly string[] {
  const stretch = intent.networks.get(network)?.stretch;
  const entries = (stretch && seen.bridges.get(stretch.bridge)) ?? [];
  return entries.flatMap(({ mac, port, origin }) => (port === stretch?.plant && origin === 'learned' ? [mac] : []));
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

/** The forwarding tables of both engines, with the gateway behind each VTEP, and the MACs here: workloads' and devices'. */
export function fdbEntries(view: CycleView, remotes: RemotesByVni, gateway: string): readonly FdbEntry[] {
  return view.desired.networks.flatMap((network): readonly FdbEntry[] => {
    if (network.driver !== 'overlay') return [];
    const { name, vni } = network;
    const owners = new Map((remotes.get(vni) ?? []).map((remote) => [remote.vtep.ip, remote.gateway]));
    // Nobody's interface has these.
    const probes = new Set<string>((remotes.get(vni) ?? []).flatMap(({ probe }) => probe ?? []));
    const rows = tableOf(view, name).filter(({ mac }) => !probes.has(mac));
    const remote = rows.map((row): FdbEntry => {
      const owner = owners.get(row.ip);
      const known = owner === undefined ? 'static' : 'peer';
      const origin = row.mac === FLOOD ? 'flood' : known;
      return { network: name, vni, mac: row.mac, vtep: row.ip, gateway: owner ?? '', origin };
    });
    const workloads = view.desired.endpoints.flatMap((endpoint) =>
      endpoint.network === name ? (attachedLink(view, endpoint)?.mac ?? []) : [],
    );
    const vtep = view.seen.underlay?.address ?? '';
    const local = [...workloads, ...devicesOf(view, name)].map((mac): FdbEntry => ({
      network: name,
      vni,
      mac,
      vtep,
      gateway,
      origin: 'local',
    }));
    return [...local, ...remote];
  });
}

/** As the kernel holds it, or as the datapath was told. */
function tableOf(view: CycleView, network: string): readonly Pick<FdbRow, 'mac' | 'ip'>[] {
  const links = view.intent.links.filter(({ kind }) => kind.type === 'vxlan');
  const device = links.find((link) => link.object === `network/${network}`)?.name ?? '';
  const told = view.intent.networks.get(network)?.datapath;
  if (told === undefined) return view.seen.fdb.get(device) ?? [];
  const listening = told.peers.filter(({ silent }) => !silent);
  const targets = told.group === null ? listening.map(({ vtep }) => vtep.ip) : [told.group];
  return [
    ...targets.map((ip) => ({ mac: FLOOD, ip })),
    ...told.peers.flatMap(({ vtep, macs }) => macs.map((mac) => ({ mac, ip: vtep.ip }))),
  ];
}
