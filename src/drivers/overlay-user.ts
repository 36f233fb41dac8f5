import type { DatapathNetwork, DatapathPeer } from '../datapath/state.ts';
import { DEFAULT_GUARDS } from '../model/guards.ts';
import type { OverlayNetwork } from '../model/network.ts';
import type { Neighbour, Remote } from '../model/peer.ts';
import type { Problem } from '../model/problem.ts';
import { type HostView, type NetworkSpec, waitingFor } from './driver.ts';
import { guardSpec } from './guards.ts';
import { linkName, networkAlias } from './naming.ts';
import type { EngineSpec } from './overlay-kernel.ts';
import { macsBehind, narrowWay, reachablePeers, vtepKey } from './overlay-peers.ts';

/** One frame of a workload's, unsegmented, then fits one send to a UDP socket with all its headers: at most 64 KiB. */
const GSO_MAX = 61_000;

/** The `user` engine: a TAP whose macvlan children are the workloads, and linkspan-datapath at its other end. */
export function userEngine(
  network: OverlayNetwork,
  remotes: readonly Remote[],
  neighbours: readonly Neighbour[],
  host: HostView,
  mtu: number,
): EngineSpec | Problem {
  const tap = userTap(network.name);
  const refusal = refuse(network, tap, host);
  if (refusal !== undefined) return refusal;
  const link: NetworkSpec['links'][number] = {
    name: tap,
    alias: networkAlias(host.gateway, network.name, 'tap'),
    object: `network/${network.name}`,
    kind: { type: 'tap' },
    mtu,
    addresses: [],
  };
  return {
    links: [link],
    attachment: { type: 'macvlan', parent: tap, mode: 'bridge', gsoMax: GSO_MAX },
    fdb: [],
    guards: guardSpec(network, tap, remotes, host),
    datapath: {
      ...told(network, tap, mtu, peersOf(network, remotes, host, mtu)),
      ...(neighbours.length > 0 && { neighbours }),
    },
  };
}

export function userTap(network: string): string {
  return linkName('lsu', network);
}

/** What the datapath cannot serve keeps what it has: a vxlan device of before goes on carrying the frames. */
function refuse(network: OverlayNetwork, tap: string, host: HostView): Problem | undefined {
  const { datapath } = host.engines;
  const other = host.links.find(
    (link) => link.kind === 'vxlan' && !link.ours && link.up && link.data.port === host.port,
  );
  if (other !== undefined) {
    const message = `network ${network.name}: UDP port ${host.port} is already ${other.name}'s, which is not Linkspan's; delete ${other.name} or set another underlay.port`;
    return waitingFor(network, message, 'name_taken');
  }
  if (datapath.running || host.links.some((link) => link.ours && link.name === tap)) return undefined;
  return datapathSilent(network.name, datapath.socket);
}

export function datapathSilent(network: string, socket: string): Problem {
  const message = `network ${network}: the datapath service does not answer at ${socket}; start linkspan-datapath`;
  return { path: `/spec/networks/${network}`, code: 'engine_unavailable', message };
}

function told(network: OverlayNetwork, tap: string, mtu: number, peers: readonly DatapathPeer[]): DatapathNetwork {
  const group = network.bum.kind === 'multicast' ? network.bum.group : null;
  const { bumPps } = network.guards ?? DEFAULT_GUARDS;
  return { vni: network.vni, tap, mtu, tagged: false, bumPps, group, peers };
}

/** One entry for each VTEP; behind a static one stand devices that publish no record, so its frames are learned from. */
function peersOf(
  network: OverlayNetwork,
  all: readonly Remote[],
  host: HostView,
  mtu: number,
): readonly DatapathPeer[] {
  const { remotes, statics } = reachablePeers(network, all, host);
  const peers = new Map<string, DatapathPeer>();
  for (const ip of statics) {
    const vtep = { ip, port: host.port };
    peers.set(vtepKey(vtep), { vtep, macs: [], learned: true });
  }
  for (const remote of remotes) {
    const { vtep, down } = remote;
    const way = narrowWay(remote, mtu);
    const found = { ...(down && { silent: down }), ...(way !== undefined && { mtu: way }) };
    const known = peers.get(vtepKey(vtep)) ?? { vtep, macs: [], learned: false, ...found };
    peers.set(vtepKey(vtep), { ...known, macs: [...new Set([...known.macs, ...macsBehind(remote)])] });
  }
  return [...peers.values()];
}
