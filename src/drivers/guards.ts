import { DEFAULT_GUARDS, type Guards, type LoopProber } from '../model/guards.ts';
import type { OverlayNetwork } from '../model/network.ts';
import type { HostView } from './driver.ts';
import { reachablePeers } from './overlay-peers.ts';
import type { Remote } from '../model/peer.ts';

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
  /** of a network that is stretched, and shall look for loops */
  readonly loop?: LoopSpec;
};

/** A loop would go in by one of a stretched network's two ports, and out by the other. */
export type LoopSpec = { readonly plant: string; readonly overlay: string; readonly prober: LoopProber };

export type VxlanSources = { readonly vni: number; readonly addresses: readonly string[] };

export function guardSpec(network: OverlayNetwork, device: string, host: HostView, sources?: VxlanSources): GuardSpec {
  const { guards = DEFAULT_GUARDS, name } = network;
  return { device, object: `network/${name}`, guards, port: host.port, sources };
}

/** The addresses of the network's VTEPs, each once: whose packets are let in, by address alone (RFC 7348 section 5). */
export function vxlanSources(network: OverlayNetwork, all: readonly Remote[], host: HostView): VxlanSources {
  const { remotes, statics } = reachablePeers(network, all, host);
  const addresses = [...new Set([...remotes.map(({ vtep }) => vtep.ip), ...statics])].toSorted();
  return { vni: network.vni, addresses };
}
