import { DEFAULT_GUARDS, type Guards, type LoopProber } from '../model/guards.ts';
import type { OverlayNetwork } from '../model/network.ts';
import type { HostView } from './driver.ts';
import { reachablePeers } from './overlay-peers.ts';
import type { Remote } from '../model/peer.ts';
import { tunnelMac, type TunnelMacs } from '../model/tunnel.ts';

/** What is to be guarded of an overlay network, and how: the planner makes rules of it. */
export type GuardSpec = {
  /** the network's port to the other sites: its vxlan device or TAP */
  readonly device: string;
  readonly object: string;
  readonly guards: Guards;
  /** VXLAN's UDP port on the underlay, which nothing inside the network may bear */
  readonly port: number;
  /** from where the kernel may take the network's VXLAN; undefined where the datapath looks at that itself */
  readonly sources: VxlanSources | undefined;
  /** the longest IP packet inside that all ways to its peers pass, where the network's MTU is larger and the datapath does not see to it */
  readonly path?: number | undefined;
  /** by which this gateway and its peers ask each other whether VXLAN gets there; absent: they do not */
  readonly tunnel?: TunnelMacs;
  /** of a network that is stretched, and shall look for loops */
  readonly loop?: LoopSpec;
};

/** A loop would go in by one of a stretched network's two ports, and out by the other. */
export type LoopSpec = { readonly plant: string; readonly overlay: string; readonly prober: LoopProber };

export type VxlanSources = { readonly vni: number; readonly addresses: readonly string[] };

export function guardSpec(
  network: OverlayNetwork,
  device: string,
  all: readonly Remote[],
  host: HostView,
  sources?: VxlanSources,
): GuardSpec {
  const { guards = DEFAULT_GUARDS, name } = network;
  const tunnel = tunnelMacs(network, all, host);
  return { device, object: `network/${name}`, guards, port: host.port, sources, ...(tunnel && { tunnel }) };
}

function tunnelMacs(network: OverlayNetwork, all: readonly Remote[], host: HostView): TunnelMacs | undefined {
  const { fleet, gateway } = host;
  if (fleet === undefined) return undefined;
  const peers = reachablePeers(network, all, host).remotes.flatMap(({ probe }) => probe ?? []);
  return { own: tunnelMac(fleet, network.vni, gateway), peers: [...new Set(peers)].toSorted() };
}

/** The addresses of the network's VTEPs, each once: whose packets are let in, by address alone (RFC 7348 section 5). */
export function vxlanSources(network: OverlayNetwork, all: readonly Remote[], host: HostView): VxlanSources {
  const { remotes, statics } = reachablePeers(network, all, host);
  const addresses = [...new Set([...remotes.map(({ vtep }) => vtep.ip), ...statics])].toSorted();
  return { vni: network.vni, addresses };
}
