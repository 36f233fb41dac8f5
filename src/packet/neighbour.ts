import type { Mac } from '../model/mac.ts';
import { macBytes, macFromBytes } from '../model/mac.ts';
import { addressBytes, addressText, type Claim } from './address.ts';
import { internetChecksum } from './checksum.ts';
import { ETHERNET_HEADER_LENGTH, ETHERTYPE_IPV6, ipv6GroupAddress, writeEthernetHeader } from './ethernet.ts';

const IPV6_HEADER_LENGTH = 40;
const ICMPV6 = 58;
const NEIGHBOUR_SOLICITATION = 135;
const NEIGHBOUR_ADVERTISEMENT = 136;
/** type, code, checksum, flags and target, before the options */
const NEIGHBOUR_MESSAGE_LENGTH = 24;
const OVERRIDE = 0x20;
const TARGET_LINK_LAYER_ADDRESS = 2;
// RFC 4861 section 7.1.2: receivers drop anything less, for it would have come through a router.
const HOP_LIMIT = 255;
const ALL_NODES = addressBytes('ff02::1', 6);
const UNSPECIFIED = addressBytes('::', 6);
// RFC 4291 section 2.7.1: the group of all that share an address's last three bytes.
const SOLICITED_NODE = addressBytes('ff02::1:ff00:0', 6);

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
  return toGroup(mac, source, ALL_NODES, advertisement(mac, source));
}

/**
 * The neighbour solicitation of duplicate address detection (RFC 4862 section 5.4.2) as a whole frame of 78 bytes: from
 * nobody's address, so that no neighbour's table changes. Whoever has `ip` answers to all nodes.
 * Throws `wrong_family` unless `ip` is IPv6.
 */
export function duplicateProbe(mac: Mac, ip: string): Buffer {
  const target = addressBytes(ip, 6);
  const group = Buffer.concat([SOLICITED_NODE.subarray(0, 13), target.subarray(13)]);
  const message = Buffer.alloc(NEIGHBOUR_MESSAGE_LENGTH);
  message.writeUInt8(NEIGHBOUR_SOLICITATION, 0);
  target.copy(message, 8);
  return toGroup(mac, UNSPECIFIED, group, message);
}

function toGroup(mac: Mac, source: Buffer, group: Buffer, message: Buffer): Buffer {
  message.writeUInt16BE(internetChecksum(pseudoHeader(source, group, message.length), message), 2);
  const header = Buffer.alloc(ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH);
  writeEthernetHeader(header, ipv6GroupAddress(group), mac, ETHERTYPE_IPV6);
  writeIpv6Header(header.subarray(ETHERNET_HEADER_LENGTH), source, group, message.length);
  return Buffer.concat([header, message]);
}

/**
 * Who says in a received frame that an IPv6 address is theirs: the target of a neighbour advertisement, with the MAC of
 * its option or else the frame's. Undefined for whatever else the bytes are, and for what RFC 4861 section 7.1.2 drops.
 */
export function readNeighbourClaim(frame: Buffer): Claim | undefined {
  if (frame.length < ETHERNET_HEADER_LENGTH + IPV6_HEADER_LENGTH) return undefined;
  if (frame.readUInt16BE(12) !== ETHERTYPE_IPV6) return undefined;
  const packet = frame.subarray(ETHERNET_HEADER_LENGTH);
  if (packet.readUInt8(6) !== ICMPV6 || packet.readUInt8(7) !== HOP_LIMIT) return undefined;
  const length = packet.readUInt16BE(4);
  const message = packet.subarray(IPV6_HEADER_LENGTH, IPV6_HEADER_LENGTH + length);
  if (length < NEIGHBOUR_MESSAGE_LENGTH || message.length < length) return undefined;
  if (message.readUInt8(0) !== NEIGHBOUR_ADVERTISEMENT || message.readUInt8(1) !== 0) return undefined;
  const header = pseudoHeader(packet.subarray(8, 24), packet.subarray(24, 40), length);
  if (internetChecksum(header, message) !== 0) return undefined;
  const mac = macFromBytes(targetLinkLayer(message) ?? frame.subarray(6, 12));
  return mac && { mac, address: addressText(message.subarray(8, 24)) };
}

/**
 * The option's six bytes; none where an option without length spoils the message; undefined where there is no such
 * option, as RFC 4861 section 4.4 allows in an answer to one host alone.
 */
function targetLinkLayer(message: Buffer): Buffer | undefined {
  for (let at = NEIGHBOUR_MESSAGE_LENGTH; at + 8 <= message.length;) {
    const length = message.readUInt8(at + 1) * 8;
    if (length === 0) return Buffer.alloc(0);
    if (message.readUInt8(at) === TARGET_LINK_LAYER_ADDRESS) return message.subarray(at + 2, at + 8);
    at += length;
  }
  return undefined;
}
