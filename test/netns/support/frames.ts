import type { Namespace } from '../../lab/namespace.ts';
import { addressBytes } from '../../../src/packet/address.ts';
import { internetChecksum } from '../../../src/packet/checksum.ts';
import { writeEthernetHeader } from '../../../src/packet/ethernet.ts';
import { macBytes, parseMac } from '../../../src/model/mac.ts';
import type { Mac } from '../../../src/model/mac.ts';

const UDP = 17;
const SCTP = 132;
const ICMPV6 = 58;

/** The MAC of a namespace's interface. */
export async function macOf(at: Namespace, device: string): Promise<Mac> {
  const [link] = await at.ipJson<{ address: string }[]>('link', 'show', device);
  return mac(link?.address ?? '');
}

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

export function ipv4(from: string, to: string, protocol: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  addressBytes(from, 4).copy(header, 12);
  addressBytes(to, 4).copy(header, 16);
  header.writeUInt16BE(internetChecksum(header), 10);
  return Buffer.concat([header, payload]);
}

/** A UDP datagram over IPv4 with any addresses at all, as a whole frame; without UDP's checksum, which may be left out. */
export function udpFrame(source: Mac, target: Mac, { from, to, port, text }: Datagram): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(40_000, 0);
  header.writeUInt16BE(port, 2);
  header.writeUInt16BE(8 + text.length, 4);
  return ethernet(macBytes(target), source, 0x0800, ipv4(from, to, UDP, Buffer.concat([header, Buffer.from(text)])));
}

/** The first packet of an SCTP association (RFC 9260), as a whole frame; its checksum is zero. */
export function sctpFrame(source: Mac, target: Mac, { from, to, port }: Omit<Datagram, 'text'>): Buffer {
  const packet = Buffer.alloc(32);
  packet.writeUInt16BE(40_000, 0);
  packet.writeUInt16BE(port, 2);
  // INIT, 20 bytes: a tag, a window, one stream each way, a sequence number.
  packet.set([1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 255, 255, 0, 1, 0, 1, 0, 0, 0, 1], 12);
  return ethernet(macBytes(target), source, 0x0800, ipv4(from, to, SCTP, packet));
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
