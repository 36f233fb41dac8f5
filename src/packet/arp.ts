import type { Mac } from '../model/mac.ts';
import { macBytes, macFromBytes } from '../model/mac.ts';
import { addressBytes, type Claim } from './address.ts';
import { BROADCAST, ETHERNET_HEADER_LENGTH, ETHERTYPE_ARP, writeEthernetHeader } from './ethernet.ts';

// RFC 826: hardware type Ethernet, protocol IPv4, address lengths 6 and 4, operation request.
const REQUEST_FOR_IPV4_ON_ETHERNET = Buffer.from('0001080006040001', 'hex');
const ARP_LENGTH = 28;
const ANY = '0.0.0.0';

/**
 * An ARP announcement (RFC 5227 section 2.3) as a whole frame of 42 bytes: a broadcast request whose sender and target
 * are both `ip`, target hardware address zero. Neighbours that know `ip` replace its MAC; nobody answers.
 * Throws `wrong_family` unless `ip` is IPv4.
 */
export function gratuitousArp(mac: Mac, ip: string): Buffer {
  return request(mac, ip, ip);
}

/**
 * An ARP probe (RFC 5227 section 2.1.1) as a whole frame of 42 bytes: a broadcast request for `ip` from nobody's
 * address, so that no neighbour's table changes. Whoever has `ip` answers.
 * Throws `wrong_family` unless `ip` is IPv4.
 */
export function arpProbe(mac: Mac, ip: string): Buffer {
  return request(mac, ANY, ip);
}

function request(mac: Mac, sender: string, target: string): Buffer {
  const frame = Buffer.alloc(ETHERNET_HEADER_LENGTH + ARP_LENGTH);
  writeEthernetHeader(frame, BROADCAST, mac, ETHERTYPE_ARP);
  const arp = frame.subarray(ETHERNET_HEADER_LENGTH);
  REQUEST_FOR_IPV4_ON_ETHERNET.copy(arp, 0);
  macBytes(mac).copy(arp, 8);
  addressBytes(sender, 4).copy(arp, 14);
  addressBytes(target, 4).copy(arp, 24);
  return frame;
}

/**
 * Who says in a received frame that an IPv4 address is theirs: the sender of an ARP request or reply. Undefined for
 * whatever else the bytes are, for a probe, and for a sender that no interface can be.
 */
export function readArpClaim(frame: Buffer): Claim | undefined {
  if (frame.length < ETHERNET_HEADER_LENGTH + ARP_LENGTH) return undefined;
  if (frame.readUInt16BE(12) !== ETHERTYPE_ARP) return undefined;
  const arp = frame.subarray(ETHERNET_HEADER_LENGTH);
  const operation = arp.readUInt16BE(6);
  if (arp.compare(REQUEST_FOR_IPV4_ON_ETHERNET, 0, 6, 0, 6) !== 0 || (operation !== 1 && operation !== 2)) {
    return undefined;
  }
  const mac = macFromBytes(arp.subarray(8, 14));
  const address = arp.subarray(14, 18).join('.');
  return mac === undefined || address === ANY ? undefined : { mac, address };
}
