import { isIP } from 'node:net';
import { familyOf, ipFromNumber, ipToNumber } from '../model/ip.ts';
import type { Mac } from '../model/mac.ts';
import { LinkspanError } from '../service/errors.ts';

/** That an address is the interface's with this MAC. */
export type Claim = { readonly mac: Mac; readonly address: string };

const hexOf = (ip: string, digits: number): string => ipToNumber(ip).toString(16).padStart(digits, '0');

/**
 * An address as it stands in a packet: 4 bytes for IPv4, 16 for IPv6, network order.
 * Throws `wrong_family` for text that is no address of that family.
 */
export function addressBytes(ip: string, family: 4 | 6): Buffer {
  if (isIP(ip) === 0 || familyOf(ip) !== family) {
    throw new LinkspanError({
      code: 'wrong_family',
      object: `address ${ip}`,
      reason: `not an IPv${family} address`,
      remedy: family === 4 ? 'announce IPv6 by neighbour advertisement' : 'announce IPv4 by ARP',
    });
  }
  return Buffer.from(hexOf(ip, family === 4 ? 8 : 32), 'hex');
}

/** The canonical text of 4 or 16 bytes, network order. */
export function addressText(bytes: Buffer): string {
  return bytes.length === 4 ? bytes.join('.') : ipFromNumber(BigInt(`0x${bytes.toString('hex')}`), 6);
}

/** The bytes of a link's address as six hex pairs joined by colons; not only of an interface's, which `Mac` is. */
export function macText(bytes: Buffer): string {
  return bytes.toString('hex').replaceAll(/..(?=.)/g, '$&:');
}
