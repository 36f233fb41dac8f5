import { addressBytes } from '../../../src/packet/address.ts';
import { internetChecksum } from '../../../src/packet/checksum.ts';
import { writeEthernetHeader } from '../../../src/packet/ethernet.ts';
import { macBytes, parseMac } from '../../../src/model/mac.ts';
import type { Mac } from '../../../src/model/mac.ts';

const UDP = 17;
const ICMPV6 = 58;

export function mac(text: string): Mac {
  const parsed = parseMac(text);
  if (parsed === undefined) throw new Error(`${text} is no MAC address`);
  return parsed;
}

function ethernet(to: Buffer, from: Mac, etherType: number, packet: Buffer): Buffer {
  const header = Buffer.alloc(14);
  writeEthernetHeader(header, to, from, etherType);
  return Buffer.concat([header, packet]);
}

export type Datagram = { readonly from: string; readonly to: string; readonly port: number; readonly text: string };

/** A UDP datagram over IPv4 with any addresses at all, as a whole frame; without UDP's checksum, which may be left out. */
export function udpFrame(source: Mac, target: Mac, { from, to, port, text }: Datagram): Buffer {
  const payload = Buffer.from(text);
  const packet = Buffer.alloc(28);
  packet.writeUInt8(0x45, 0);
  packet.writeUInt16BE(28 + payload.length, 2);
  packet.writeUInt8(64, 8);
  packet.writeUInt8(UDP, 9);
  addressBytes(from, 4).copy(packet, 12);
  addressBytes(to, 4).copy(packet, 16);
  packet.writeUInt16BE(internetChecksum(packet.subarray(0, 20)), 10);
  packet.writeUInt16BE(40_000, 20);
  packet.writeUInt16BE(port, 22);
  packet.writeUInt16BE(8 + payload.length, 24);
  return ethernet(macBytes(target), source, 0x0800, Buffer.concat([packet, payload]));
}

/** A router's advertisement (RFC 4861) of itself and of a /64 for addresses, both for 30 minutes, as a whole frame. */
export function routerAdvertisement(source: Mac, router: string, prefix: string): Buffer {
  const message = Buffer.alloc(48);
  message.writeUInt8(134, 0);
  message.writeUInt8(64, 4);
  message.writeUInt16BE(1800, 6);
  // Prefix information: length 4 times 8 bytes, /64, on-link and autonomous, valid and preferred lifetimes.
  message.set([3, 4, 64, 0xc0], 16);
  message.writeUInt32BE(1800, 20);
  message.writeUInt32BE(1800, 24);
  addressBytes(prefix, 6).copy(message, 32);
  const [from, all] = [addressBytes(router, 6), addressBytes('ff02::1', 6)];
  const tail = Buffer.from([0, 0, 0, message.length, 0, 0, 0, ICMPV6]);
  message.writeUInt16BE(internetChecksum(from, all, tail, message), 2);
  const header = Buffer.from([0x60, 0, 0, 0, 0, message.length, ICMPV6, 255]);
  return ethernet(Buffer.from('333300000001', 'hex'), source, 0x86dd, Buffer.concat([header, from, all, message]));
}
