import { message, NETLINK } from './netlink.ts';

/** nf_tables among the subsystems of netfilter (linux/netfilter/nfnetlink.h) */
export const SUBSYSTEM = 10;
/** struct nfgenmsg */
export const GENERAL_HEADER = 4;

/** linux/netfilter/nf_tables.h */
export const NFT = {
  NEW_TABLE: 0,
  GET_TABLE: 1,
  DELETE_TABLE: 2,
  NEW_CHAIN: 3,
  NEW_RULE: 6,
  GET_RULE: 7,
  DELETE_RULE: 8,
  NEW_SET: 9,
  NEW_ELEMENT: 12,
  GET_ELEMENT: 13,
  DELETE_ELEMENT: 14,
  NEW_GENERATION: 15,
  GET_GENERATION: 16,
  NEW_OBJECT: 18,
  GET_OBJECT: 19,
} as const;

/** The families of tables, as in struct nfgenmsg. */
export const NFT_FAMILY = { IPV4: 2, NETDEV: 5 } as const;

const [BATCH_BEGIN, BATCH_END] = [0x10, 0x11];

/** One change of a batch; what is new is made. */
export type NftChange = { readonly type: number; readonly flags: number; readonly attributes: readonly Buffer[] };

export function change(type: number, flags: number, ...attributes: readonly Buffer[]): NftChange {
  return { type, flags, attributes };
}

/** One batch for a netlink socket of netfilter: all of it is done, or nothing; every change is acknowledged. */
export function batch(family: number, changes: readonly NftChange[]): Buffer {
  const header = generalHeader(family);
  const put = ({ type, flags, attributes }: NftChange, index: number): Buffer =>
    message((SUBSYSTEM << 8) | type, NETLINK.ACK | flags, index + 1, header, ...attributes);
  return Buffer.concat([
    message(BATCH_BEGIN, 0, 0, BATCH),
    ...changes.map((one, index) => put(one, index)),
    message(BATCH_END, 0, 0, BATCH),
  ]);
}

/** Asks for all of a kind in a family: attributes narrow it down. */
export function nftDump(type: number, family: number, ...attributes: readonly Buffer[]): Buffer {
  return message((SUBSYSTEM << 8) | type, NETLINK.DUMP, 0, generalHeader(family), ...attributes);
}

function generalHeader(family: number): Buffer {
  return Buffer.of(family, 0, 0, 0);
}

// struct nfgenmsg: family, version 0, and the subsystem that a batch is for
const BATCH = Buffer.of(0, 0, 0, SUBSYSTEM);
