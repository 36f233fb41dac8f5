import { number, text } from './netlink.ts';
import { type NetlinkMessage, nestedIn, readAttributes, textIn } from './netlink-read.ts';
import { GENERAL_HEADER, NFT, nftDump, SUBSYSTEM } from './nft-batch.ts';

// linux/netfilter/nf_tables.h
const ALL_FAMILIES = 0;
const COUNTER = 1;
const [OBJECT_TABLE, OBJECT_NAME, OBJECT_TYPE, OBJECT_DATA] = [1, 2, 3, 4];
const TABLE_NAME = 1;
const COUNTER_PACKETS = 2;
const [ELEMENTS_TABLE, ELEMENTS_SET, ELEMENTS_LIST] = [1, 2, 3];
const LIST_ELEMENT = 1;
const [ELEMENT_TIMEOUT, ELEMENT_EXPIRATION] = [4, 5];
const FAMILIES: ReadonlyMap<number, string> = new Map([
  [1, 'inet'],
  [2, 'ip'],
  [3, 'arp'],
  [5, 'netdev'],
  [7, 'bridge'],
  [10, 'ip6'],
]);

/** A table by its family and name, as nft writes them: `netdev linkspan-lsx-line`. */
export type NftTable = { readonly family: string; readonly name: string };

/** A named counter's packets. */
export type NftCounter = {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly packets: number;
};

export function tableDump(): Buffer {
  return nftDump(NFT.GET_TABLE, ALL_FAMILIES);
}

/** Undefined of any other message, and of a table without a family that nft knows. */
export function readTable({ type, payload }: NetlinkMessage): NftTable | undefined {
  if (type !== ((SUBSYSTEM << 8) | NFT.NEW_TABLE)) return undefined;
  const family = FAMILIES.get(payload[0] ?? 0);
  const name = textIn(readAttributes(payload, GENERAL_HEADER), TABLE_NAME);
  return family === undefined || name === undefined ? undefined : { family, name };
}

/** Of all tables of all families. */
export function counterDump(): Buffer {
  return nftDump(NFT.GET_OBJECT, ALL_FAMILIES, number(OBJECT_TYPE, COUNTER));
}

/** Of one set; an error of the kernel's where there is no such table, or set in it. */
export function elementDump({ family, name }: NftTable, set: string): Buffer {
  const [code = 0] = [...FAMILIES].find(([, known]) => known === family) ?? [];
  return nftDump(NFT.GET_ELEMENT, code, text(ELEMENTS_TABLE, name), text(ELEMENTS_SET, set));
}

/** How long ago, in milliseconds, the first element of a set began its time anew; undefined of any other message. */
export function readElementAge({ type, payload }: NetlinkMessage): number | undefined {
  if (type !== ((SUBSYSTEM << 8) | NFT.NEW_ELEMENT)) return undefined;
  const list = nestedIn(readAttributes(payload, GENERAL_HEADER), ELEMENTS_LIST);
  const element = nestedIn(list, LIST_ELEMENT);
  const [timeout, left] = [element.get(ELEMENT_TIMEOUT), element.get(ELEMENT_EXPIRATION)];
  if (timeout?.length !== 8 || left?.length !== 8) return undefined;
  return Number(timeout.readBigUInt64BE() - left.readBigUInt64BE());
}

/** Undefined of any other message, and of an object that is no counter. */
export function readCounter({ type, payload }: NetlinkMessage): NftCounter | undefined {
  if (type !== ((SUBSYSTEM << 8) | NFT.NEW_OBJECT)) return undefined;
  const attributes = readAttributes(payload, GENERAL_HEADER);
  const [table, name] = [textIn(attributes, OBJECT_TABLE), textIn(attributes, OBJECT_NAME)];
  const packets = nestedIn(attributes, OBJECT_DATA).get(COUNTER_PACKETS);
  if (attributes.get(OBJECT_TYPE)?.readUInt32BE() !== COUNTER || packets?.length !== 8) return undefined;
  const family = FAMILIES.get(payload[0] ?? 0);
  if (family === undefined || table === undefined || name === undefined) return undefined;
  return { family, table, name, packets: Number(packets.readBigUInt64BE()) };
}
