import { message, NETLINK, nested, number, text } from './netlink.ts';
import { type NetlinkMessage, readAttributes } from './netlink-read.ts';
import { batch, change, GENERAL_HEADER, NFT, NFT_FAMILY, SUBSYSTEM } from './nft-batch.ts';
import { compare, type Expression, expression, load, type Place, put, store } from './nft-expressions.ts';

export const IP_PROTOCOL = { TCP: 6, UDP: 17 } as const;

const FLAG_OWNER = 2;
const HOOK_OUTPUT = 3;
/** before connection tracking looks at a packet (-200) */
const PRIORITY_RAW = -300;
const REGISTER = 1;
const META_L4_PROTOCOL = 16;
const [IN_IP_HEADER, IN_TRANSPORT_HEADER] = [1, 2] as const;

export const IP_SOURCE: Place = { base: IN_IP_HEADER, offset: 12, length: 4 };
export const IP_DESTINATION: Place = { base: IN_IP_HEADER, offset: 16, length: 4 };
export const SOURCE_PORT: Place = { base: IN_TRANSPORT_HEADER, offset: 0, length: 2 };
export const DESTINATION_PORT: Place = { base: IN_TRANSPORT_HEADER, offset: 2, length: 2 };

/** The packet holds `value` there, or anything else with `unequal`; a packet that does not leaves the rule. */
export function holds(place: Place, value: Uint8Array, unequal = false): readonly Expression[] {
  return [load(place, REGISTER), compare(REGISTER, value, unequal)];
}

export function isProtocol(protocol: number): readonly Expression[] {
  return [expression('meta', number(1, REGISTER), number(2, META_L4_PROTOCOL)), compare(REGISTER, Buffer.of(protocol))];
}

/** Connection tracking, and so every NAT, passes the packet by. */
export function untracked(): readonly Expression[] {
  return [expression('notrack')];
}

/** Writes into the TCP or UDP header and mends its checksum, which stands at `checksum` in it. */
export function write(place: Place, value: Uint8Array, checksum: number): readonly Expression[] {
  return [put(REGISTER, value), store(place, REGISTER, checksum)];
}

/** A table of IPv4 that the kernel deletes with the socket that made it, and its rules for what this host sends. */
export type OwnedTable = { readonly name: string; readonly output: readonly (readonly Expression[])[] };

const CHAIN = 'output';

/** One batch for a netlink socket of netfilter: all of it is done, or nothing; every message is acknowledged. */
export function ownedTableBatch({ name, output }: OwnedTable): Buffer {
  const hook = nested(4, number(1, HOOK_OUTPUT), number(2, PRIORITY_RAW));
  const fresh = NETLINK.CREATE | NETLINK.EXCLUSIVE;
  const next = NETLINK.CREATE | NETLINK.APPEND;
  return batch(NFT_FAMILY.IPV4, [
    change(NFT.NEW_TABLE, fresh, text(1, name), number(2, FLAG_OWNER)),
    change(NFT.NEW_CHAIN, fresh, text(1, name), text(3, CHAIN), hook, text(7, 'filter')),
    ...output.map((rule) => change(NFT.NEW_RULE, next, text(1, name), text(2, CHAIN), nested(4, ...rule))),
  ]);
}

/** How many acknowledgements a batch that was done brings. */
export function acknowledgementsOf({ output }: OwnedTable): number {
  return 2 + output.length;
}

/** The question for the number that every change of a namespace's ruleset counts up. */
export function generationQuestion(): Buffer {
  return message((SUBSYSTEM << 8) | NFT.GET_GENERATION, NETLINK.ACK, 0, Buffer.alloc(GENERAL_HEADER));
}

/** That number; undefined of any other message. */
export function readGeneration({ type, payload }: NetlinkMessage): number | undefined {
  if (type !== ((SUBSYSTEM << 8) | NFT.NEW_GENERATION)) return undefined;
  const id = readAttributes(payload, GENERAL_HEADER).get(1);
  return id?.length === 4 ? id.readUInt32BE() : undefined;
}
