import { parseIp } from '../model/ip.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import type { Neighbour, Vtep } from '../model/peer.ts';
import { isVni } from '../model/vni.ts';
import { PEERS_MAX } from './address-book.ts';
import type { DatapathNetwork, DatapathPeer, DatapathState, OwnVtep } from './state.ts';

const IFNAME_MAX = 15;
const IFINDEX_MAX = 2 ** 31 - 1;
const MTU = { least: 68, most: 65_535 } as const;
const NETWORKS_MAX = 1000;
const [MACS_MAX, NEIGHBOURS_MAX] = [65_536, 65_536];

/** What is wrong with a state: a JSON pointer, and what should stand there. */
export class StateError extends Error {
  constructor(path: string, expected: string) {
    super(`${path === '' ? 'the state' : path} must be ${expected}`);
    this.name = 'StateError';
  }
}

/**
 * A state from parsed JSON, every field checked: what gets past here is what the frames' way relies on.
 * @throws StateError
 */
export function parseState(raw: unknown): DatapathState {
  const root = object(raw, '');
  if (root['v'] !== 1) throw new StateError('/v', '1');
  const vtep = parseOwnVtep(root['vtep'], '/vtep');
  const networks = list(root['networks'], '/networks', NETWORKS_MAX).map((network, index) =>
    parseNetwork(network, `/networks/${index}`),
  );
  unique(
    networks.map((network) => network.vni),
    'VNIs',
  );
  unique(
    networks.map((network) => network.tap),
    'TAPs',
  );
  const families = networks.flatMap((network) => network.peers).map((peer) => peer.vtep.ip.includes(':'));
  if (families.some((six) => six !== vtep.ip.includes(':'))) {
    throw new StateError('/networks', "of VTEPs that all have the address family of this gateway's own");
  }
  return { v: 1, vtep, networks };
}

function parseNetwork(raw: unknown, path: string): DatapathNetwork {
  const { vni, tap, mtu, tagged, bumPps, group, peers, neighbours = [] } = object(raw, path);
  if (!isVni(vni)) throw new StateError(`${path}/vni`, 'a whole number from 1 to 16777215');
  if (typeof tap !== 'string' || !/^[^\s/:]+$/.test(tap) || Buffer.byteLength(tap) > IFNAME_MAX) {
    throw new StateError(`${path}/tap`, "an interface's name");
  }
  if (!isWhole(mtu, MTU.least, MTU.most)) throw new StateError(`${path}/mtu`, `from ${MTU.least} to ${MTU.most}`);
  if (typeof tagged !== 'boolean') throw new StateError(`${path}/tagged`, 'true or false');
  if (bumPps !== null && !isWhole(bumPps, 1, 1e9)) throw new StateError(`${path}/bumPps`, 'null or a whole number');
  return {
    vni,
    tap,
    mtu,
    tagged,
    bumPps,
    group: group === null ? null : parseAddress(group, `${path}/group`),
    peers: list(peers, `${path}/peers`, PEERS_MAX).map((peer, index) => parsePeer(peer, `${path}/peers/${index}`)),
    neighbours: list(neighbours, `${path}/neighbours`, NEIGHBOURS_MAX).map((neighbour, index) =>
      parseNeighbour(neighbour, `${path}/neighbours/${index}`),
    ),
  };
}

function parsePeer(raw: unknown, path: string): DatapathPeer {
  const { vtep, macs, learned, silent = false, mtu } = object(raw, path);
  if (typeof learned !== 'boolean') throw new StateError(`${path}/learned`, 'true or false');
  if (mtu !== undefined && !isWhole(mtu, MTU.least, MTU.most)) {
    throw new StateError(`${path}/mtu`, `from ${MTU.least} to ${MTU.most}`);
  }
  if (typeof silent !== 'boolean') throw new StateError(`${path}/silent`, 'true or false');
  const parsed = list(macs, `${path}/macs`, MACS_MAX).map((mac, index) => parseUnicast(mac, `${path}/macs/${index}`));
  return {
    vtep: parseVtep(vtep, `${path}/vtep`),
    macs: parsed,
    learned,
    ...(silent && { silent }),
    ...(mtu !== undefined && { mtu }),
  };
}

function parseNeighbour(raw: unknown, path: string): Neighbour {
  const { ip, mac } = object(raw, path);
  return { ip: parseAddress(ip, `${path}/ip`), mac: parseUnicast(mac, `${path}/mac`) };
}

function parseUnicast(raw: unknown, path: string): Mac {
  const mac = typeof raw === 'string' ? parseMac(raw) : undefined;
  if (mac === undefined) throw new StateError(path, 'a unicast MAC');
  return mac;
}

/** A linkspand of before, and the file it left, tell no interface. */
function parseOwnVtep(raw: unknown, path: string): OwnVtep {
  const vtep = parseVtep(raw, path);
  const { ifindex } = object(raw, path);
  if (ifindex === undefined) return vtep;
  if (!isWhole(ifindex, 1, IFINDEX_MAX)) throw new StateError(`${path}/ifindex`, "an interface's index");
  return { ...vtep, ifindex };
}

function parseVtep(raw: unknown, path: string): Vtep {
  const { ip, port } = object(raw, path);
  if (!isWhole(port, 1, 65_535)) throw new StateError(`${path}/port`, 'a UDP port');
  return { ip: parseAddress(ip, `${path}/ip`), port };
}

function parseAddress(raw: unknown, path: string): string {
  const ip = typeof raw === 'string' ? parseIp(raw) : undefined;
  if (ip === undefined) throw new StateError(path, 'an IPv4 or IPv6 address');
  return ip;
}

function object(raw: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) throw new StateError(path, 'an object');
  return raw as Readonly<Record<string, unknown>>;
}

function list(raw: unknown, path: string, most: number): readonly unknown[] {
  if (!Array.isArray(raw) || raw.length > most) throw new StateError(path, `a list of at most ${most}`);
  return raw as readonly unknown[];
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function unique(values: readonly unknown[], what: string): void {
  if (new Set(values).size !== values.length) throw new StateError('/networks', `a list of different ${what}`);
}
