import { attribute, message, nested, NETLINK, number, text } from './netlink.ts';
import { type NetlinkMessage, readAttributes } from './netlink-read.ts';

/** One expression of a rule, as the kernel's nf_tables runs it (linux/netfilter/nf_tables.h). */
export type Expression = Buffer;

export const IP_PROTOCOL = { TCP: 6, UDP: 17 } as const;

/** nf_tables among the subsystems of netfilter (linux/netfilter/nfnetlink.h) */
export const SUBSYSTEM = 10;
const [BATCH_BEGIN, BATCH_END] = [0x10, 0x11];
const [NEW_TABLE, NEW_CHAIN, NEW_RULE, NEW_GENERATION, GET_GENERATION] = [0, 3, 6, 15, 16];
const IPV4_FAMILY = 2;
const FLAG_OWNER = 2;
const HOOK_OUTPUT = 3;
/** before connection tracking looks at a packet (-200) */
const PRIORITY_RAW = -300;
const REGISTER = 1;
const META_L4_PROTOCOL = 16;
const CHECKSUM_INTERNET = 1;
const [IN_IP_HEADER, IN_TRANSPORT_HEADER] = [1, 2] as const;

/** A place in the packet: bytes of the IPv4 header, or of the TCP or UDP header. */
export type Place = { readonly base: 1 | 2; readonly offset: number; readonly length: number };

export const IP_SOURCE: Place = { base: IN_IP_HEADER, offset: 12, length: 4 };
export const IP_DESTINATION: Place = { base: IN_IP_HEADER, offset: 16, length: 4 };
export const SOURCE_PORT: Place = { base: IN_TRANSPORT_HEADER, offset: 0, length: 2 };
export const DESTINATION_PORT: Place = { base: IN_TRANSPORT_HEADER, offset: 2, length: 2 };

function expression(name: string, ...attributes: readonly Buffer[]): Expression {
  return nested(1, text(1, name), nested(2, ...attributes));
}

function compare(value: Uint8Array, unequal: boolean): Expression {
  return expression('cmp', number(1, REGISTER), number(2, unequal ? 1 : 0), nested(3, attribute(1, value)));
}

/** The packet holds `value` there, or anything else with `unequal`; a packet that does not leaves the rule. */
export function holds({ base, offset, length }: Place, value: Uint8Array, unequal = false): readonly Expression[] {
  const load = expression('payload', number(1, REGISTER), number(2, base), number(3, offset), number(4, length));
  return [load, compare(value, unequal)];
}

export function isProtocol(protocol: number): readonly Expression[] {
  return [expression('meta', number(1, REGISTER), number(2, META_L4_PROTOCOL)), compare(Buffer.of(protocol), false)];
}

/** Connection tracking, and so every NAT, passes the packet by. */
export function untracked(): readonly Expression[] {
  return [expression('notrack')];
}

/** Writes into the TCP or UDP header and mends its checksum, which stands at `checksum` in it. */
export function write({ base, offset, length }: Place, value: Uint8Array, checksum: number): readonly Expression[] {
  const place = [number(2, base), number(3, offset), number(4, length)];
  const sum = [number(6, CHECKSUM_INTERNET), number(7, checksum)];
  return [
    expression('immediate', number(1, REGISTER), nested(2, attribute(1, value))),
    expression('payload', number(5, REGISTER), ...place, ...sum),
  ];
}

/** A table of IPv4 that the kernel deletes with the socket that made it, and its rules for what this host sends. */
export type OwnedTable = { readonly name: string; readonly output: readonly (readonly Expression[])[] };

const CHAIN = 'output';

/** One batch for a netlink socket of netfilter: all of it is done, or nothing; every message is acknowledged. */
export function ownedTableBatch({ name, output }: OwnedTable): Buffer {
  let sequence = 0;
  const put = (type: number, flags: number, ...attributes: readonly Buffer[]): Buffer =>
    message((SUBSYSTEM << 8) | type, NETLINK.ACK | NETLINK.CREATE | flags, (sequence += 1), IPV4, ...attributes);
  const hook = nested(4, number(1, HOOK_OUTPUT), number(2, PRIORITY_RAW));
  return Buffer.concat([
    message(BATCH_BEGIN, 0, 0, BATCH),
    put(NEW_TABLE, NETLINK.EXCLUSIVE, text(1, name), number(2, FLAG_OWNER)),
    put(NEW_CHAIN, NETLINK.EXCLUSIVE, text(1, name), text(3, CHAIN), hook, text(7, 'filter')),
    ...output.map((rule) => put(NEW_RULE, NETLINK.APPEND, text(1, name), text(2, CHAIN), nested(4, ...rule))),
    message(BATCH_END, 0, 0, BATCH),
  ]);
}

/** How many acknowledgements a batch that was done brings. */
export function acknowledgementsOf({ output }: OwnedTable): number {
  return 2 + output.length;
}

/** The question for the number that every change of a namespace's ruleset counts up. */
export function generationQuestion(): Buffer {
  return message((SUBSYSTEM << 8) | GET_GENERATION, NETLINK.ACK, 0, Buffer.alloc(GENERAL_HEADER));
}

/** That number; undefined of any other message. */
export function readGeneration({ type, payload }: NetlinkMessage): number | undefined {
  if (type !== ((SUBSYSTEM << 8) | NEW_GENERATION)) return undefined;
  const id = readAttributes(payload, GENERAL_HEADER).get(1);
  return id?.length === 4 ? id.readUInt32BE() : undefined;
}

/** struct nfgenmsg */
export const GENERAL_HEADER = 4;
// struct nfgenmsg: family, version 0, and the subsystem that a batch is for
const IPV4 = Buffer.of(IPV4_FAMILY, 0, 0, 0);
const BATCH = Buffer.of(0, 0, 0, SUBSYSTEM);
