import { isIPv6 } from 'node:net';
import { ipToNumber } from '../model/ip.ts';
import type { Vtep } from '../model/peer.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const LENGTH_4 = 16;
const LENGTH_6 = 28;

/** A sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)). */
export function sockaddr({ ip, port }: Vtep): Uint8Array {
  const six = isIPv6(ip);
  const bytes = new Uint8Array(six ? LENGTH_6 : LENGTH_4);
  const view = new DataView(bytes.buffer);
  // The family in the host's byte order; both of our architectures are little-endian.
  view.setUint16(0, six ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  const number = ipToNumber(ip);
  if (six) {
    view.setBigUint64(8, number >> 64n);
    view.setBigUint64(16, number & 0xffff_ffff_ffff_ffffn);
  } else {
    view.setUint32(4, Number(number));
  }
  return bytes;
}

/** Where a sockaddr's address lies, and how many bytes it has; 0 for a family that is neither. */
export function addressIn(bytes: Uint8Array, at: number): { readonly offset: number; readonly length: number } {
  const family = bytes[at];
  if (family === AF_INET) return IN_4;
  return family === AF_INET6 ? IN_6 : NOWHERE;
}

const IN_4 = { offset: 4, length: 4 } as const;
const IN_6 = { offset: 8, length: 16 } as const;
const NOWHERE = { offset: 0, length: 0 } as const;
