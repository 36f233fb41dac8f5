import { familyOf } from '../model/ip.ts';
import { macBytes, macFromBytes } from '../model/mac.ts';
import type { Neighbour } from '../model/peer.ts';
import { addressBytes } from './address.ts';
import { attribute, nested, NETLINK, text } from './netlink.ts';
import { addressIn, type NetlinkMessage, nestedIn, readAttributes, readList } from './netlink-read.ts';
import { NEIGHBOUR_MAPS } from './neighbour-rules.ts';
import { change, GENERAL_HEADER, NFT, type NftChange, nftDump, NFT_FAMILY, SUBSYSTEM } from './nft-batch.ts';

/** A change's list is an attribute, which has 64 KiB; an element takes 44 bytes at most. */
const ELEMENTS_MAX = 500;
const [TABLE, SET, ELEMENTS] = [1, 2, 3];
const [KEY, DATA, VALUE] = [1, 2, 1];
const RULE_MARK = 7;

/** Writes neighbours into a table's maps; an address that is there already makes it fail. */
export function addNeighbours(table: string, rows: readonly Neighbour[]): readonly NftChange[] {
  return changesOf(table, NFT.NEW_ELEMENT, NETLINK.CREATE | NETLINK.EXCLUSIVE, rows, ({ ip, mac }) => [
    ...keyOf(ip),
    nested(DATA, attribute(VALUE, macBytes(mac))),
  ]);
}

/** Takes addresses out of a table's maps; one that is not there makes it fail. */
export function removeNeighbours(table: string, rows: readonly Neighbour[]): readonly NftChange[] {
  return changesOf(table, NFT.DELETE_ELEMENT, 0, rows, ({ ip }) => keyOf(ip));
}

function changesOf(
  table: string,
  type: number,
  flags: number,
  rows: readonly Neighbour[],
  element: (row: Neighbour) => readonly Buffer[],
): readonly NftChange[] {
  return ([4, 6] as const).flatMap((family) => {
    const own = rows.filter(({ ip }) => familyOf(ip) === family).map((row) => nested(1, ...element(row)));
    const lists = Array.from({ length: Math.ceil(own.length / ELEMENTS_MAX) }, (_, at) =>
      own.slice(at * ELEMENTS_MAX, (at + 1) * ELEMENTS_MAX),
    );
    return lists.map((list) =>
      change(type, flags, text(TABLE, table), text(SET, NEIGHBOUR_MAPS[family]), nested(ELEMENTS, ...list)),
    );
  });
}

function keyOf(ip: string): readonly Buffer[] {
  return [nested(KEY, attribute(VALUE, addressBytes(ip, familyOf(ip))))];
}

/** The questions for what stands in a table of neighbours: its rules, and both maps. */
export function neighbourDumps(table: string): readonly Buffer[] {
  const maps = Object.values(NEIGHBOUR_MAPS).map((map) =>
    nftDump(NFT.GET_ELEMENT, NFT_FAMILY.NETDEV, text(TABLE, table), text(SET, map)),
  );
  return [nftDump(NFT.GET_RULE, NFT_FAMILY.NETDEV, text(TABLE, table)), ...maps];
}

/** The neighbours in a message of the answer; none in any other. */
export function readNeighbours({ type, payload }: NetlinkMessage): readonly Neighbour[] {
  if (type !== ((SUBSYSTEM << 8) | NFT.NEW_ELEMENT)) return [];
  const list = readAttributes(payload, GENERAL_HEADER).get(ELEMENTS);
  return list === undefined ? [] : readList(list).flatMap((element) => readNeighbour(element) ?? []);
}

function readNeighbour(element: Buffer): Neighbour | undefined {
  const attributes = readAttributes(element);
  const ip = addressIn(nestedIn(attributes, KEY), VALUE);
  const mac = macFromBytes(nestedIn(attributes, DATA).get(VALUE) ?? Buffer.alloc(0));
  return ip === undefined || mac === undefined ? undefined : { ip, mac };
}

/** The mark of a rule in a message of the answer, empty for a rule without; undefined of any other message. */
export function readMark({ type, payload }: NetlinkMessage): string | undefined {
  if (type !== ((SUBSYSTEM << 8) | NFT.NEW_RULE)) return undefined;
  const mark = readAttributes(payload, GENERAL_HEADER).get(RULE_MARK);
  return mark === undefined ? '' : mark.toString('utf8', 2, mark.length - 1);
}
