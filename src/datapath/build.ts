import { PEERS_MAX } from './address-book.ts';
import type { Coalescer } from './coalescer.ts';
import type { EgressNetwork } from './egress.ts';
import type { EngineNetwork, EngineState } from './engine-state.ts';
import { MacTable } from './fdb.ts';
import { type IngressNetwork, STRANGER } from './ingress.ts';
import { Learning, type OnLearned } from './learning.ts';
import { NeighbourTable } from './neighbours.ts';
import type { Tap } from './ports.ts';
import type { Segmenter } from './segmenter.ts';
import { sockaddr } from './sockaddr.ts';
import { Sources } from './sources.ts';
import { StormLimit } from './storm.ts';

/** The TAP of each network, by VNI. */
export type Taps = ReadonlyMap<number, Tap>;

/** The way out's networks, by VNI; what was learned stays, as far as its peer does. */
export function egressNetworks(
  state: EngineState,
  taps: Taps,
  segmenter: Segmenter,
  before: ReadonlyMap<number, EgressNetwork>,
): ReadonlyMap<number, EgressNetwork> {
  for (const [number, vtep] of state.peers.entries()) {
    if (vtep === undefined) continue;
    const name = sockaddr(vtep);
    const at = segmenter.peerAt(number);
    segmenter.bytes.set(name, at);
    const view = new DataView(segmenter.bytes.buffer);
    view.setUint16(at + 28, name.length, true);
    view.setUint16(at + 30, state.paths[number] ?? 0, true);
  }
  return withTaps(state, taps, (network, tap): EgressNetwork => {
    const learned = new MacTable();
    for (const { high, low, value } of before.get(network.vni)?.learned.entries() ?? []) {
      if (network.learned.includes(value)) learned.set(high, low, value);
    }
    const { vni, mtu, tagged, flood } = network;
    const tables = { known: knownOf(network), learned, neighbours: new NeighbourTable(network.neighbours) };
    return { vni, tap, mtu, tagged, ...tables, flood, storm: new StormLimit(network.bumPps) };
  });
}

/** The way in's networks, by VNI, and who may send to them. */
export function ingressNetworks(
  state: EngineState,
  taps: Taps,
  coalescer: Coalescer,
  before: ReadonlyMap<number, IngressNetwork>,
  onLearned: (vni: number) => OnLearned,
): { readonly networks: ReadonlyMap<number, IngressNetwork>; readonly sources: Sources } {
  const sources = new Sources(state.peers);
  for (const [peer, mtu] of state.paths.entries()) coalescer.setPath(peer, mtu ?? 0);
  const networks = withTaps(state, taps, (network, tap): IngressNetwork => {
    const known = knownOf(network);
    const learned = new Set(network.learned);
    const learning = before.get(network.vni)?.learning ?? new Learning(onLearned(network.vni));
    for (const { high, low, value } of learning.entries()) {
      if (!learned.has(value) || known.get(high, low) >= 0) learning.forget(high, low);
    }
    return { tap, tagged: network.tagged, ...membersOf(network, sources), known, learning };
  });
  return { networks, sources };
}

/** Where peers share an address, packets from there are those of the one that is in this network. */
function membersOf(network: EngineNetwork, sources: Sources): Pick<IngressNetwork, 'members' | 'learns'> {
  const members = new Int16Array(PEERS_MAX).fill(STRANGER);
  const learns = new Uint8Array(PEERS_MAX);
  for (const peer of network.sources) members[sources.standsFor(peer)] = peer;
  for (const peer of network.learned) {
    members[sources.standsFor(peer)] = peer;
    learns[sources.standsFor(peer)] = 1;
  }
  return { members, learns };
}

function withTaps<T>(state: EngineState, taps: Taps, build: (network: EngineNetwork, tap: Tap) => T): Map<number, T> {
  const built = new Map<number, T>();
  for (const network of state.networks) {
    const tap = taps.get(network.vni);
    if (tap !== undefined) built.set(network.vni, build(network, tap));
  }
  return built;
}

function knownOf(network: EngineNetwork): MacTable {
  const table = new MacTable();
  for (let i = 0; i < network.known.length; i += 3) {
    const [high = 0, low = 0, peer = 0] = network.known.subarray(i, i + 3);
    table.set(high, low, peer);
  }
  return table;
}
