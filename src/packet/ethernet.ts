import type { Mac } from '../model/mac.ts';
import { macBytes } from '../model/mac.ts';

export const ETHERNET_HEADER_LENGTH = 14;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;

/** Where broadcasts go: group addresses are bytes here, since a Mac always names one interface. */
export const BROADCAST = Buffer.from('ffffffffffff', 'hex');

/** The multicast address of an IPv6 group: 33:33 and the group's last four bytes (RFC 2464 section 7). */
export function ipv6GroupAddress(group: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x33, 0x33]), group.subarray(12)]);
}

/** Writes an untagged Ethernet II header at the start of `frame`, which holds at least 14 bytes. */
export function writeEthernetHeader(frame: Buffer, destination: Buffer, source: Mac, etherType: number): void {
  destination.copy(frame, 0, 0, 6);
  macBytes(source).copy(frame, 6);
  frame.writeUInt16BE(etherType, 12);
}
