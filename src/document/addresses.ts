import { contains, networkOf, parseIp, parseIpPrefix } from '../model/ip.ts';
import type { IpPrefix } from '../model/ip.ts';
import type { WantedAddress } from './resolved.ts';

const MULTICAST: readonly IpPrefix[] = [
  { family: 4, address: '224.0.0.0', length: 4 },
  { family: 6, address: 'ff00::', length: 8 },
];
/** No network can stand on these: "this host", loopback, multicast and reserved (RFC 6890, RFC 4291). */
const NO_SUBNET: readonly IpPrefix[] = [
  ...MULTICAST,
  { family: 4, address: '0.0.0.0', length: 8 },
  { family: 4, address: '127.0.0.0', length: 8 },
  { family: 4, address: '240.0.0.0', length: 4 },
  { family: 6, address: '::', length: 16 },
];

// Each reads one text of the document, and returns undefined for what is no such thing.

/** Without the bits of a host. */
export function readPrefix(text: string): IpPrefix | undefined {
  const prefix = parseIpPrefix(text);
  return prefix && networkOf(prefix);
}

/** A wider prefix than this would take over the gateway's own routes. */
export function readSubnet(text: string): IpPrefix | undefined {
  const prefix = readPrefix(text);
  if (!prefix || prefix.length < (prefix.family === 4 ? 8 : 16)) return undefined;
  return NO_SUBNET.some((other) => contains(other, prefix.address)) ? undefined : prefix;
}

/** A plain address, or one with its prefix length. */
export function readWanted(text: string): WantedAddress | undefined {
  const prefix = parseIpPrefix(text);
  const address = prefix?.address ?? parseIp(text);
  return address === undefined ? undefined : { address, length: prefix?.length };
}

export function readUnicast(text: string): string | undefined {
  const address = parseIp(text);
  return address === undefined || isMulticast(address) || isUnspecified(address) ? undefined : address;
}

export function readMulticast(text: string): string | undefined {
  const address = parseIp(text);
  return address !== undefined && isMulticast(address) ? address : undefined;
}

export function parseIp6(text: string): string | undefined {
  const address = parseIp(text);
  return address?.includes(':') ? address : undefined;
}

function isMulticast(address: string): boolean {
  return MULTICAST.some((prefix) => contains(prefix, address));
}

function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
