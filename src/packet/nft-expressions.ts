import { attribute, nested, number, text } from './netlink.ts';

/** One expression of a rule, as the kernel's nf_tables runs it (linux/netfilter/nf_tables.h). */
export type Expression = Buffer;

/** A place in the packet: bytes of the Ethernet, the IP or the TCP or UDP header, and of what is behind each. */
export type Place = { readonly base: 0 | 1 | 2; readonly offset: number; readonly length: number };

/** The kernel's registers of 16 bytes each. */
export type Register = 1 | 2 | 3 | 4;

const VERDICT_REGISTER = 0;
const CHECKSUM_INTERNET = 1;
const COUNTER = 1;
const [ACCEPT, GOTO] = [1, -4];

export function expression(name: string, ...attributes: readonly Buffer[]): Expression {
  return nested(1, text(1, name), nested(2, ...attributes));
}

/** Bytes of the packet into a register; a packet that is too short leaves the rule. */
export function load({ base, offset, length }: Place, into: Register): Expression {
  return expression('payload', number(1, into), number(2, base), number(3, offset), number(4, length));
}

/** A register's bytes into the packet. @param checksum where an Internet checksum that is to be mended stands, by the same base */
export function store({ base, offset, length }: Place, from: Register, checksum?: number): Expression {
  const place = [number(5, from), number(2, base), number(3, offset), number(4, length)];
  const sum = checksum === undefined ? [] : [number(6, CHECKSUM_INTERNET), number(7, checksum)];
  return expression('payload', ...place, ...sum);
}

/** A register holds `value`, or anything else with `unequal`; else the packet leaves the rule. */
export function compare(register: Register, value: Uint8Array, unequal = false): Expression {
  return expression('cmp', number(1, register), number(2, unequal ? 1 : 0), nested(3, attribute(1, value)));
}

/** Leaves in a register what both it and `mask` have. */
export function masked(register: Register, mask: Uint8Array): Expression {
  const zero = Buffer.alloc(mask.length);
  const registers = [number(1, register), number(2, register), number(3, mask.length)];
  return expression('bitwise', ...registers, nested(4, attribute(1, mask)), nested(5, attribute(1, zero)));
}

export function put(register: Register, value: Uint8Array): Expression {
  return expression('immediate', number(1, register), nested(2, attribute(1, value)));
}

/** What a map has for a register's bytes; where it has nothing, the packet leaves the rule. */
export function lookUp(map: string, key: Register, into: Register): Expression {
  return expression('lookup', text(1, map), number(2, key), number(3, into));
}

/** Counted by a named counter of the table. */
export function counted(name: string): Expression {
  return expression('objref', number(1, COUNTER), text(2, name));
}

/** Out by the interface whose index (four bytes, the machine's order) a register holds. */
export function forward(register: Register): Expression {
  return expression('fwd', number(1, register));
}

export function accept(): Expression {
  return verdict(number(1, ACCEPT));
}

/** On with another chain, from which nothing comes back. */
export function goTo(chain: string): Expression {
  return verdict(number(1, GOTO), text(2, chain));
}

function verdict(...attributes: readonly Buffer[]): Expression {
  return expression('immediate', number(1, VERDICT_REGISTER), nested(2, nested(2, ...attributes)));
}
