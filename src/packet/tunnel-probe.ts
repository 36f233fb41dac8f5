import type { Mac } from '../model/mac.ts';
import { macBytes } from '../model/mac.ts';
import { ETHERNET_HEADER_LENGTH, writeEthernetHeader } from './ethernet.ts';

/** IEEE 802's local experimental EtherType 2; what follows it must say whose it is (RFC 9542 section 2.1). */
export const ETHERTYPE_TUNNEL = 0x88b6;
export const TUNNEL_MAGIC = 0x4c_53_54_50;
export const TUNNEL_KIND = { request: 1, answer: 2 } as const;

const [MAGIC_AT, KIND_AT, SEQUENCE_AT, TOKEN_AT] = [14, 18, 20, 22];
const TOKEN = 8;
/** An Ethernet frame's least, without its checksum. */
export const TUNNEL_LENGTH = 60;

/** Where magic number and kind stand, in bytes. */
export const TUNNEL_MAGIC_AT = MAGIC_AT;
export const TUNNEL_KIND_AT = KIND_AT;
/** Where the token stands, in bytes, and how many it has. */
export const TUNNEL_TOKEN = { at: TOKEN_AT, length: TOKEN } as const;

export type TunnelRequest = {
  /** the asking gateway's, and the asked one's */
  readonly from: Mac;
  readonly to: Mac;
  readonly sequence: number;
  /** eight bytes that only whoever got the request can send back */
  readonly token: Buffer;
};

/**
 * A request as a whole frame of 60 bytes, the smallest that Ethernet knows. Behind the EtherType a magic number (4 bytes),
 * the kind (1), a zero, the sequence number (2) and the token (8); the rest is zero.
 */
export function tunnelRequest({ from, to, sequence, token }: TunnelRequest): Buffer {
  return frameOf(TUNNEL_KIND.request, from, to, sequence, token);
}

/** The one answer to a request: the same frame, sent back. */
export function tunnelAnswer({ from, to, sequence, token }: TunnelRequest): Buffer {
  return frameOf(TUNNEL_KIND.answer, to, from, sequence, token);
}

/** The sequence number of the request that a frame may answer; undefined of anything else. It is an answer if it is equal to it. */
export function answeredSequence(frame: Buffer): number | undefined {
  if (frame.length !== TUNNEL_LENGTH || frame.readUInt16BE(ETHERNET_HEADER_LENGTH - 2) !== ETHERTYPE_TUNNEL)
    return undefined;
  if (frame.readUInt32BE(MAGIC_AT) !== TUNNEL_MAGIC || frame.readUInt8(KIND_AT) !== TUNNEL_KIND.answer)
    return undefined;
  return frame.readUInt16BE(SEQUENCE_AT);
}

function frameOf(kind: number, source: Mac, target: Mac, sequence: number, token: Buffer): Buffer {
  const frame = Buffer.alloc(TUNNEL_LENGTH);
  writeEthernetHeader(frame, macBytes(target), source, ETHERTYPE_TUNNEL);
  frame.writeUInt32BE(TUNNEL_MAGIC, MAGIC_AT);
  frame.writeUInt8(kind, KIND_AT);
  frame.writeUInt16BE(sequence, SEQUENCE_AT);
  frame.set(token.subarray(0, TOKEN), TOKEN_AT);
  return frame;
}
