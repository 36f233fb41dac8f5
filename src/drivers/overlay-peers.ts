import { familyOf } from '../model/ip.ts';
import type { OverlayNetwork } from '../model/network.ts';
import type { Remote, Vtep } from '../model/peer.ts';
import type { HostView } from './driver.ts';

/** Whom a network can send to: peers by their records, and the operator's static VTEPs. */
export type OverlayPeers = { readonly remotes: readonly Remote[]; readonly statics: readonly string[] };

/**
 * Every peer of the underlay's address family. One with our own address (this gateway's former name, or a forged
 * record) is left out: it would bring our frames back to us.
 */
export function reachablePeers(network: OverlayNetwork, remotes: readonly Remote[], host: HostView): OverlayPeers {
  const local = host.underlay?.address ?? '';
  const own = new Set([local, ...host.links.flatMap((link) => link.addresses.map((address) => address.split('/')[0]))]);
  const fits = (ip: string): boolean => familyOf(ip) === familyOf(local) && !own.has(ip);
  return {
    remotes: remotes.filter(({ vtep }) => fits(vtep.ip)),
    statics: network.peers.filter((ip) => fits(ip)),
  };
}

/** Two gateways behind one VTEP get one copy. */
export function distinctVteps(remotes: readonly Remote[]): readonly Vtep[] {
  return [...new Map(remotes.map(({ vtep }) => [vtepKey(vtep), vtep])).values()];
}

export function vtepKey({ ip, port }: Vtep): string {
  return `${ip} ${port}`;
}
