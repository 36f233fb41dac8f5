import type { Mac } from '../model/mac.ts';
import { macBytes } from '../model/mac.ts';
import { addressBytes } from './address.ts';
import { BROADCAST, ETHERNET_HEADER_LENGTH, ETHERTYPE_ARP, writeEthernetHeader } from './ethernet.ts';

// RFC 826: hardware type Ethernet, protocol IPv4, address lengths 6 and 4, operation request.
const REQUEST_FOR_IPV4_ON_ETHERNET = Buffer.from('0001080006040001', 'hex');
const ARP_LENGTH = 28;

/**
 * An ARP announcement (RFC 5227 section 2.3) as a whole frame of 42 bytes: a broadcast request whose sender and target
 * are both `ip`, target hardware address zero. Neighbours that know `ip` replace its MAC; nobody answers.
 * Throws `wrong_family` unless `ip` is IPv4.
 */
export function gratuitousArp(mac: Mac, ip: string): Buffer {
  const address = addressBytes(ip, 4);
  const frame = Buffer.alloc(ETHERNET_HEADER_LENGTH + ARP_LENGTH);
  writeEthernetHeader(frame, BROADCAST, mac, ETHERTYPE_ARP);
  const arp = frame.subarray(ETHERNET_HEADER_LENGTH);
  REQUEST_FOR_IPV4_ON_ETHERNET.copy(arp, 0);
  macBytes(mac).copy(arp, 8);
  address.copy(arp, 14);
  address.copy(arp, 24);
  return frame;
}
