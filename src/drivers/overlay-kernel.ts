import { type FdbRow, FLOOD } from '../host/fdb.ts';
import type { OverlayNetwork } from '../model/network.ts';
import type { Remote } from '../model/peer.ts';
import type { Problem } from '../model/problem.ts';
import { type HostView, type NetworkSpec, type Underlay, waitingFor } from './driver.ts';
import { guardSpec, vxlanSources } from './guards.ts';
import { linkName, networkAlias } from './naming.ts';
import { distinctVteps, macsBehind, narrowWay, reachablePeers } from './overlay-peers.ts';

/** What an engine adds to an overlay network's answer. */
export type EngineSpec = Pick<NetworkSpec, 'links' | 'attachment' | 'fdb' | 'guards' | 'datapath'>;

/**
 * The `kernel` engine: a vxlan device whose table is written from the peers' records (`nolearning`), whose source
 * address is always set (a kernel-chosen one breaks the peers' tables when routes move), and whose macvlan children are
 * the workloads: measurably faster than a bridge and veth on top of it.
 */
export function kernelEngine(
  network: OverlayNetwork,
  remotes: readonly Remote[],
  host: HostView,
  underlay: Underlay,
  mtu: number,
): EngineSpec | Problem {
  const device = linkName('lsx', network.name);
  const refusal = refuse(network, device, host);
  if (refusal !== undefined) return refusal;
  const link: EngineSpec['links'][number] = {
    name: device,
    alias: networkAlias(host.gateway, network.name, 'vxlan'),
    object: `network/${network.name}`,
    kind: {
      type: 'vxlan',
      vni: network.vni,
      local: underlay.address,
      port: host.port,
      // A foreign VTEP publishes no records, so behind one the MACs can only be learned from its frames.
      learning: network.peers.length > 0,
      // Where packets come joined, joining again costs a queue for each and brings nothing: without it 1.2 times the
      // TCP and 1.06 times the packets in the veth lab. Where they do not, it is worth 1.3 times the TCP.
      gro: !underlay.joins,
      multicast: network.bum.kind === 'multicast' ? { group: network.bum.group, device: underlay.device } : undefined,
    },
    mtu,
    addresses: [],
  };
  return {
    links: [link],
    attachment: { type: 'macvlan', parent: device, mode: 'bridge' },
    fdb: forwarding(network, remotes, host).map((row) => ({ device, row })),
    guards: {
      ...guardSpec(network, device, remotes, host, vxlanSources(network, remotes, host)),
      path: narrowest(network, remotes, host, mtu),
    },
    datapath: undefined,
  };
}

function refuse(network: OverlayNetwork, device: string, host: HostView): Problem | undefined {
  if (!host.engines.vxlan) {
    const word = network.engine === 'kernel' ? '"engine"' : 'datapath.engine';
    const message = `network ${network.name}: this gateway's kernel has no vxlan; set ${word} to auto or user and start linkspan-datapath, or load the module vxlan and restart linkspand`;
    return waitingFor(network, message, 'engine_unavailable');
  }
  const other = host.links.find(
    (link) => link.kind === 'vxlan' && !link.ours && link.data.id === network.vni && link.data.port === host.port,
  );
  if (other === undefined) return undefined;
  const message = `network ${network.name}: VNI ${network.vni} on port ${host.port} is already ${other.name}'s, which is not Linkspan's; delete ${other.name} or choose another VNI than ${device} wants`;
  return waitingFor(network, message, 'name_taken');
}

/** Of all ways to its peers: the device does not know which one a frame takes when TCP tells its segments' size. */
function narrowest(network: OverlayNetwork, all: readonly Remote[], host: HostView, mtu: number): number | undefined {
  const ways = reachablePeers(network, all, host).remotes.flatMap((remote) => narrowWay(remote, mtu) ?? []);
  return ways.length === 0 ? undefined : Math.min(...ways);
}

/** Flood list and unicast entries. */
function forwarding(network: OverlayNetwork, all: readonly Remote[], host: HostView): readonly FdbRow[] {
  const { remotes, statics } = reachablePeers(network, all, host);
  const port = (value: number): number | undefined => (value === host.port ? undefined : value);
  const unicast = remotes.flatMap((remote) =>
    macsBehind(remote).map((mac) => ({ mac, ip: remote.vtep.ip, port: port(remote.vtep.port) })),
  );
  const replicated = network.bum.kind === 'replicate' ? distinctVteps(remotes.filter(({ down }) => !down)) : [];
  const flood = replicated.map((vtep) => ({ mac: FLOOD, ip: vtep.ip, port: port(vtep.port) }));
  const peers = statics
    .filter((ip) => !flood.some((row) => row.ip === ip))
    .map((ip) => ({ mac: FLOOD, ip, port: undefined }));
  return [...flood, ...peers, ...unicast];
}
