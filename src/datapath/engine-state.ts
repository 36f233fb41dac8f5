import { familyOf } from '../model/ip.ts';
import { macBytes } from '../model/mac.ts';
import type { Neighbour, Vtep } from '../model/peer.ts';
import { addressBytes } from '../packet/address.ts';
import { type AddressBook, vtepKey } from './address-book.ts';
import { macHigh, macLow } from './frame.ts';
import { NEIGHBOUR_ROW } from './neighbours.ts';
import type { DatapathNetwork, DatapathState } from './state.ts';

/** A state with its VTEPs numbered and its MACs in the table's form: plain data, as it goes to the workers. */
export type EngineState = {
  /** by number; the array has holes */
  readonly peers: readonly (Vtep | undefined)[];
  /** by number: the longest IP packet inside that the way to a peer passes, where that is little */
  readonly paths: readonly (number | undefined)[];
  readonly networks: readonly EngineNetwork[];
};

export type EngineNetwork = {
  readonly vni: number;
  readonly mtu: number;
  readonly tagged: boolean;
  readonly bumPps: number | null;
  readonly flood: readonly number[];
  /** peers whose packets are let in, and those of them whose MACs are learned */
  readonly sources: readonly number[];
  readonly learned: readonly number[];
  /** MAC and peer, three numbers each */
  readonly known: Int32Array;
  /** rows of `NeighbourTable` */
  readonly neighbours: Uint8Array;
};

/** Numbers a state's VTEPs. Pure but for the book. */
export function numberState(
  state: DatapathState,
  book: AddressBook,
  mtuOf: (vtep: Vtep) => number | undefined = () => undefined,
): EngineState {
  const groups = state.networks.flatMap((network) => groupOf(network, state.vtep.port) ?? []);
  const vteps = [...state.networks.flatMap((network) => network.peers.map((peer) => peer.vtep)), ...groups];
  const numbers = book.assign(vteps);
  const numberOf = (vtep: Vtep): number => numbers.get(vtepKey(vtep)) ?? -1;
  const peers: (Vtep | undefined)[] = [];
  for (const vtep of vteps) peers[numberOf(vtep)] = vtep;
  const told = new Map(state.networks.flatMap(({ peers: all }) => all.map(({ vtep, mtu }) => [vtepKey(vtep), mtu])));
  const paths = Array.from(peers, (vtep) => vtep && least(mtuOf(vtep), told.get(vtepKey(vtep))));
  return { peers, paths, networks: state.networks.map((network) => numberNetwork(network, state.vtep.port, numberOf)) };
}

/** What the kernel knows of a way, and what probes found. */
function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function numberNetwork(network: DatapathNetwork, port: number, numberOf: (vtep: Vtep) => number): EngineNetwork {
  const { vni, mtu, tagged, bumPps, peers, neighbours = [] } = network;
  const group = groupOf(network, port);
  const sources = peers.map((peer) => numberOf(peer.vtep));
  const listening = peers.filter(({ silent }) => !silent).map(({ vtep }) => numberOf(vtep));
  const learned = peers.filter((peer) => peer.learned).map((peer) => numberOf(peer.vtep));
  const known = peers.flatMap((peer) =>
    peer.macs.flatMap((mac) => {
      const bytes = macBytes(mac);
      return [macHigh(bytes, 0), macLow(bytes, 0), numberOf(peer.vtep)];
    }),
  );
  return {
    vni,
    mtu,
    tagged,
    bumPps,
    // Static VTEPs need not be in the group.
    flood: group === undefined ? [...new Set(listening)] : [numberOf(group), ...new Set(learned)],
    sources,
    learned,
    known: Int32Array.from(known),
    neighbours: Uint8Array.from(Buffer.concat(neighbours.map((neighbour) => rowOf(neighbour)))),
  };
}

function rowOf({ ip, mac }: Neighbour): Buffer {
  const row = Buffer.alloc(NEIGHBOUR_ROW);
  const address = addressBytes(ip, familyOf(ip));
  row.writeUInt8(address.length, 0);
  row.set(address, 1);
  row.set(macBytes(mac), NEIGHBOUR_ROW - 6);
  return row;
}

function groupOf(network: DatapathNetwork, port: number): Vtep | undefined {
  return network.group === null ? undefined : { ip: network.group, port };
}
