import type { Mac } from '../model/mac.ts';
import type { Neighbour, Vtep } from '../model/peer.ts';
import type { Vni } from '../model/vni.ts';

/** One network as the datapath knows it. */
export type DatapathNetwork = {
  readonly vni: Vni;
  /** name of the TAP, which stands already */
  readonly tap: string;
  /** longest IP packet in it */
  readonly mtu: number;
  /** whether frames with 802.1Q tags pass; RFC 7348 section 6.1 drops them unless told otherwise */
  readonly tagged: boolean;
  /** broadcast, unknown and multicast frames a second, or null for no limit */
  readonly bumPps: number | null;
  /** who gets what has no single target, and whose packets are let in */
  readonly peers: readonly DatapathPeer[];
  /** multicast group of the underlay that takes the flood list's place, or null */
  readonly group: string | null;
  /** for whose addresses it answers itself whoever asks all for them; absent: for none's */
  readonly neighbours?: readonly Neighbour[];
};

export type DatapathPeer = {
  readonly vtep: Vtep;
  /** MACs known to be behind it, from its record */
  readonly macs: readonly Mac[];
  /** whether MACs are learned from its frames: a foreign VTEP, which publishes no record */
  readonly learned: boolean;
  /** it answers nobody: nothing is flooded to it, and what comes from it is let in */
  readonly silent?: true;
  /** the longest IP packet inside that the way there passes, where probes found that to be less than the network's MTU */
  readonly mtu?: number;
};

/** This gateway's own. */
export type OwnVtep = Vtep & {
  /**
   * Index of the interface that has the address: groups are joined there, and the address may move to another. By index,
   * since a group is lost with its interface, even where one of the same name follows. Absent: the kernel decides.
   */
  readonly ifindex?: number;
};

/** All that the datapath is told, whole each time: what is not in it is no more. */
export type DatapathState = {
  readonly v: 1;
  /** address and port of this gateway's VTEP */
  readonly vtep: OwnVtep;
  readonly networks: readonly DatapathNetwork[];
};

/** The same text for the same state, whatever the order in which peers and MACs came to be known. */
export function canonicalState(state: DatapathState): string {
  const { v, vtep } = state;
  // Key by key: whoever made the state may have had another order of keys.
  const networks = state.networks.map(({ vni, tap, mtu, tagged, bumPps, group, peers, neighbours = [] }) => ({
    vni,
    tap,
    mtu,
    tagged,
    bumPps,
    group,
    peers: peers
      .map(({ vtep: { ip, port }, macs, learned, silent, mtu: path }) => ({
        vtep: { ip, port },
        macs: [...macs].sort(),
        learned,
        ...(silent && { silent }),
        ...(path !== undefined && { mtu: path }),
      }))
      .sort(byText),
    ...(neighbours.length > 0 && { neighbours: inOrder(neighbours) }),
  }));
  const own = { ...plain(vtep), ifindex: vtep.ifindex };
  return JSON.stringify({ v, vtep: own, networks: networks.sort(byText) });
}

function inOrder(neighbours: readonly Neighbour[]): readonly Neighbour[] {
  return neighbours.map(({ ip, mac }) => ({ ip, mac })).sort((a, b) => (a.ip < b.ip ? -1 : 1));
}

function plain({ ip, port }: Vtep): Vtep {
  return { ip, port };
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
