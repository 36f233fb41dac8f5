import { familyOf } from '../model/ip.ts';
import type { Mac } from '../model/mac.ts';
import type { OverlayNetwork } from '../model/network.ts';
import type { Remote, Vtep } from '../model/peer.ts';
import { vxlanOverhead } from '../model/vni.ts';
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

/** The MACs to which frames go there: of its table, and the one by which it is asked whether they arrive. */
export function macsBehind({ macs, probe }: Remote): readonly Mac[] {
  return [...macs.map(({ m }) => m), ...(probe === undefined ? [] : [probe])];
}

/** Every host takes as much (RFC 791 section 3.1): whatever is found of a way, TCP's segments stay at 536 bytes. */
const LEAST = 576;

/** The longest IP packet inside that gets to a peer, where probes found that to be less than the network's MTU. */
export function narrowWay({ vtep, pathMtu }: Remote, mtu: number): number | undefined {
  const inner = pathMtu && Math.max(LEAST, pathMtu - vxlanOverhead(vtep.ip));
  return inner && inner < mtu ? inner : undefined;
}

/** Two gateways behind one VTEP get one copy. */
export function distinctVteps(remotes: readonly Remote[]): readonly Vtep[] {
  return [...new Map(remotes.map(({ vtep }) => [vtepKey(vtep), vtep])).values()];
}

export function vtepKey({ ip, port }: Vtep): string {
  return `${ip} ${port}`;
}
