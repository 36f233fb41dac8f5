import type { Mac } from '../model/mac.ts';
import { macBytes } from '../model/mac.ts';
import { addressBytes } from './address.ts';
import { internetChecksum } from './checksum.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV6, ipv6GroupAddress, writeEthernetHeader } from './ethernet.ts';

const IPV6_HEADER_LENGTH = 40;
const ICMPV6 = 58;
const NEIGHBOUR_ADVERTISEMENT = 136;
const OVERRIDE = 0x20;
const TARGET_LINK_LAYER_ADDRESS = 2;
// RFC 4861 section 7.1.2: receivers drop anything less, for it would have come through a router.
const HOP_LIMIT = 255;
const ALL_NODES = addressBytes('ff02::1', 6);

/** RFC 4861 section 4.4, with the one option that section 7.2.6 asks of an unsolicited advertisement; checksum zero. */
function advertisement(mac: Mac, target: Buffer): Buffer {
  const message = Buffer.alloc(32);
  message.writeUInt8(NEIGHBOUR_ADVERTISEMENT, 0);
  message.writeUInt8(OVERRIDE, 4);
  target.copy(message, 8);
  message.writeUInt8(TARGET_LINK_LAYER_ADDRESS, 24);
  message.writeUInt8(1, 25); // the option's length, in units of 8 bytes
  macBytes(mac).copy(message, 26);
  return message;
}

/** RFC 8200 section 8.1. */
function pseudoHeader(source: Buffer, destination: Buffer, length: number): Buffer {
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail.writeUInt8(ICMPV6, 7);
  return Buffer.concat([source, destination, tail]);
}

function writeIpv6Header(packet: Buffer, source: Buffer, destination: Buffer, length: number): void {
  packet.writeUInt8(0x60, 0);
  packet.writeUInt16BE(length, 4);
  packet.writeUInt8(ICMPV6, 6);
  packet.writeUInt8(HOP_LIMIT, 7);
  source.copy(packet, 8);
  destination.copy(packet, 24);
}

/**
 * An unsolicited neighbour advertisement (RFC 4861 section 7.2.6) as a whole frame of 86 bytes: from `ip` to all nodes,
 * with the Override flag, so that neighbours that know `ip` replace its MAC. Throws `wrong_family` unless `ip` is IPv6.
 */
export function unsolicitedNa(mac: Mac, ip: string): Buffer {
  const source = addressBytes(ip, 6);
  const message = advertisement(mac, source);
  message.writeUInt16BE(internetChecksum(pseudoHeader(source, ALL_NODES, message.length), message), 2);
  const header = Buffer.alloc(ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH);
  writeEthernetHeader(header, ipv6GroupAddress(ALL_NODES), mac, ETHERTYPE_IPV6);
  writeIpv6Header(header.subarray(ETHERNET_HEADER_LENGTH), source, ALL_NODES, message.length);
  return Buffer.concat([header, message]);
}
