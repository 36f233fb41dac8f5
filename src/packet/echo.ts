import { familyOf } from '../model/ip.ts';
import { addressBytes, addressText } from './address.ts';
import { internetChecksum } from './checksum.ts';

/** An ICMP echo request or reply (RFC 792, RFC 4443 section 4) as far as both ends agree on it. */
export type Echo = {
  readonly identifier: number;
  readonly sequence: number;
  /** eight bytes that only whoever got the request can send back */
  readonly token: Buffer;
};

/** What came in by ICMP: an answer, or that a packet to `target` was too big for a link of `mtu` bytes on its way. */
export type Heard =
  | { readonly kind: 'reply'; readonly echo: Echo }
  | {
      readonly kind: 'tooBig';
      readonly target: string;
      readonly mtu: number;
      /** the request that it quotes, by what no other host can guess of it; undefined: another packet of this gateway's */
      readonly request:
        | { readonly identifier: number; readonly sequence: number; readonly checksum: number }
        | undefined;
    };

const [HEADER4, HEADER6, ICMP_HEADER, TOKEN] = [20, 40, 8, 8];
const [ICMP, ICMPV6, HOPS, DONT_FRAGMENT] = [1, 58, 64, 0x4000];
const REQUEST = { 4: 8, 6: 128 } as const;
const REPLY = { 4: 0, 6: 129 } as const;

/** The smallest whole packet, which says that the other end lives. */
export const ECHO_LEAST = { 4: HEADER4 + ICMP_HEADER + TOKEN, 6: HEADER6 + ICMP_HEADER + TOKEN } as const;

/**
 * A whole IP packet of `length` bytes with an echo request that no router may cut up: the header is our own, since only so
 * it bears the VTEP's address and not the one that the kernel would choose.
 */
export function echoRequest(source: string, target: string, length: number, echo: Echo): Buffer {
  const family = familyOf(target);
  const ends = [addressBytes(source, family), addressBytes(target, family)] as const;
  const message = Buffer.alloc(Math.max(length, ECHO_LEAST[family]) - (family === 4 ? HEADER4 : HEADER6));
  message.writeUInt8(REQUEST[family], 0);
  message.writeUInt16BE(echo.identifier, 4);
  message.writeUInt16BE(echo.sequence, 6);
  message.set(echo.token.subarray(0, TOKEN), ICMP_HEADER);
  if (family === 4) {
    message.writeUInt16BE(internetChecksum(message), 2);
    return Buffer.concat([header4(message.length, ...ends), message]);
  }
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(message.length, 0);
  pseudo.writeUInt32BE(ICMPV6, 4);
  message.writeUInt16BE(internetChecksum(...ends, pseudo, message), 2);
  return Buffer.concat([header6(message.length, ...ends), message]);
}

/**
 * Gives a request another sequence number in place, which is far cheaper than a new one; the checksum is mended (RFC 1624).
 * Returns the checksum, by which an error that quotes the request is known.
 */
export function renumber(packet: Buffer, sequence: number): number {
  const message = packet.readUInt8(0) >> 4 === 4 ? HEADER4 : HEADER6;
  const sum = (~packet.readUInt16BE(message + 2) & 0xffff) + (~packet.readUInt16BE(message + 6) & 0xffff) + sequence;
  const folded = (sum & 0xffff) + (sum >>> 16);
  const checksum = ~((folded & 0xffff) + (folded >>> 16)) & 0xffff;
  packet.writeUInt16BE(checksum, message + 2);
  packet.writeUInt16BE(sequence, message + 6);
  return checksum;
}

/** The kernel fills in checksum, identification and length (raw(7)). */
function header4(length: number, source: Buffer, target: Buffer): Buffer {
  const header = Buffer.alloc(HEADER4);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(HEADER4 + length, 2);
  header.writeUInt16BE(DONT_FRAGMENT, 6);
  header.writeUInt8(HOPS, 8);
  header.writeUInt8(ICMP, 9);
  header.set(source, 12);
  header.set(target, 16);
  return header;
}

/** No router cuts up IPv6 (RFC 8200 section 5). */
function header6(length: number, source: Buffer, target: Buffer): Buffer {
  const header = Buffer.alloc(HEADER6);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(length, 4);
  header.writeUInt8(ICMPV6, 6);
  header.writeUInt8(HOPS, 7);
  header.set(source, 8);
  header.set(target, 24);
  return header;
}

/** Reads what a raw ICMP socket gives, a whole packet, from bytes that anybody may have sent. */
export function readIcmp4(packet: Buffer): Heard | undefined {
  const length = packet.length < HEADER4 ? 0 : (packet.readUInt8(0) & 0x0f) * 4;
  if (length < HEADER4 || packet.length < length + ICMP_HEADER) return undefined;
  const message = packet.subarray(length);
  const type = message.readUInt8(0);
  if (type === REPLY[4]) return reply(message);
  // "fragmentation needed": a router older than RFC 1191 leaves the MTU out, and is no help
  if (type !== 3 || message.readUInt8(1) !== 4 || message.readUInt16BE(6) === 0) return undefined;
  const quoted = message.subarray(ICMP_HEADER);
  const inner = quoted.length < HEADER4 ? 0 : (quoted.readUInt8(0) & 0x0f) * 4;
  if (inner < HEADER4 || quoted.length < inner + ICMP_HEADER) return undefined;
  const target = addressText(quoted.subarray(16, 20));
  const isRequest = quoted.readUInt8(9) === ICMP && quoted.readUInt8(inner) === REQUEST[4];
  const request = isRequest ? requestOf(quoted.subarray(inner)) : undefined;
  return { kind: 'tooBig', target, mtu: message.readUInt16BE(6), request };
}

/** As `readIcmp4`; of IPv6 the socket leaves the header out. */
export function readIcmp6(message: Buffer): Heard | undefined {
  if (message.length < ICMP_HEADER) return undefined;
  const type = message.readUInt8(0);
  if (type === REPLY[6]) return reply(message);
  const quoted = message.subarray(ICMP_HEADER);
  if (type !== 2 || quoted.length < HEADER6 + ICMP_HEADER) return undefined;
  const target = addressText(quoted.subarray(24, 40));
  const isRequest = quoted.readUInt8(6) === ICMPV6 && quoted.readUInt8(HEADER6) === REQUEST[6];
  const request = isRequest ? requestOf(quoted.subarray(HEADER6)) : undefined;
  return { kind: 'tooBig', target, mtu: message.readUInt32BE(4), request };
}

function reply(message: Buffer): Heard | undefined {
  if (message.length < ICMP_HEADER + TOKEN) return undefined;
  const token = message.subarray(ICMP_HEADER, ICMP_HEADER + TOKEN);
  return { kind: 'reply', echo: { identifier: message.readUInt16BE(4), sequence: message.readUInt16BE(6), token } };
}

function requestOf(message: Buffer): { identifier: number; sequence: number; checksum: number } {
  const [checksum, identifier, sequence] = [2, 4, 6].map((at) => message.readUInt16BE(at)) as [number, number, number];
  return { identifier, sequence, checksum };
}
