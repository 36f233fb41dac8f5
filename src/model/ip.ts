import { isIPv4 } from 'node:net';
import { Address4, Address6 } from 'ip-address';

/** An address with its prefix length, e.g. the address 10.0.0.5 in 10.0.0.0/24; canonical text. */
export type IpPrefix = { readonly family: 4 | 6; readonly address: string; readonly length: number };

const bits = (family: 4 | 6): number => (family === 4 ? 32 : 128);

function parseAny(text: string): Address4 | Address6 | undefined {
  if (text.includes('%')) return undefined;
  if (Address4.isValid(text)) return new Address4(text);
  return Address6.isValid(text) ? new Address6(text) : undefined;
}

function canonical(value: Address4 | Address6): string {
  return value.correctForm();
}

/** Canonical text of a plain address without a prefix length, or undefined. */
export function parseIp(text: string): string | undefined {
  if (isIPv4(text)) return text;
  const value = text.includes('/') ? undefined : parseAny(text);
  return value && canonical(value);
}

/** Parses `ADDRESS/LENGTH`, or returns undefined. */
export function parseIpPrefix(text: string): IpPrefix | undefined {
  const value = text.includes('/') ? parseAny(text) : undefined;
  if (!value) return undefined;
  return { family: value instanceof Address4 ? 4 : 6, address: canonical(value), length: value.subnetMask };
}

export function formatIpPrefix(prefix: IpPrefix): string {
  return `${prefix.address}/${prefix.length}`;
}

export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

/** The address as a number. */
export function ipToNumber(address: string): bigint {
  return familyOf(address) === 4 ? new Address4(address).bigInt() : new Address6(address).bigInt();
}

/** The canonical text of a number of one family. */
export function ipFromNumber(value: bigint, family: 4 | 6): string {
  return canonical(family === 4 ? Address4.fromBigInt(value) : Address6.fromBigInt(value));
}

/** First and last address of the prefix, as numbers. */
export function rangeOf(prefix: IpPrefix): { first: bigint; last: bigint } {
  const size = 1n << BigInt(bits(prefix.family) - prefix.length);
  const first = (ipToNumber(prefix.address) / size) * size;
  return { first, last: first + size - 1n };
}

/** The prefix with its host bits cleared. */
export function networkOf(prefix: IpPrefix): IpPrefix {
  return { ...prefix, address: ipFromNumber(rangeOf(prefix).first, prefix.family) };
}

export function contains(prefix: IpPrefix, address: string): boolean {
  if (familyOf(address) !== prefix.family) return false;
  const { first, last } = rangeOf(prefix);
  const value = ipToNumber(address);
  return value >= first && value <= last;
}

export function overlaps(a: IpPrefix, b: IpPrefix): boolean {
  return contains(a, networkOf(b).address) || contains(b, networkOf(a).address);
}

/** The addresses of a subnet that interfaces may hold (`isHostAddress`), as numbers. */
export function hostRange(subnet: IpPrefix): { first: bigint; last: bigint } {
  const { first, last } = rangeOf(subnet);
  if (subnet.length >= bits(subnet.family) - 1) return { first, last };
  return { first: first + 1n, last: subnet.family === 6 ? last : last - 1n };
}

/**
 * Whether an interface may hold the address in this subnet: inside it, and neither IPv4's network or broadcast address
 * (RFC 1122 section 3.2.1.3) nor IPv6's subnet-router anycast address (RFC 4291 section 2.6.1). Point-to-point
 * prefixes have neither (RFC 3021, RFC 6164).
 */
export function isHostAddress(subnet: IpPrefix, address: string): boolean {
  if (familyOf(address) !== subnet.family) return false;
  const { first, last } = hostRange(subnet);
  const value = ipToNumber(address);
  return value >= first && value <= last;
}
