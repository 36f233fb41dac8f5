import { addressBytes } from '../../../src/packet/address.ts';
import { internetChecksum } from '../../../src/packet/checksum.ts';
import { ipv4, mac, routerAdvertisement } from './frames.ts';

/** Who sends them: nobody's MAC but theirs, so that a capture finds them by it. */
export const SENDER = '02:00:00:00:00:99';
const SENDER_6 = 'fe80::99';

const bytes = (address: string): Buffer => Buffer.from(address.replaceAll(':', ''), 'hex');

/** A whole frame, with any addresses at all. */
export function frame(to: string, etherType: number, payload: Buffer, from = SENDER): Buffer {
  const header = Buffer.alloc(14);
  bytes(to).copy(header);
  bytes(from).copy(header, 6);
  header.writeUInt16BE(etherType, 12);
  return Buffer.concat([header, payload, Buffer.alloc(Math.max(0, 46 - payload.length))]);
}

/** A UDP datagram over IPv4, without a checksum. */
export function udp(to: string, target: string, port: number, source = 40_000): Buffer {
  const datagram = Buffer.alloc(8 + 64);
  datagram.writeUInt16BE(source, 0);
  datagram.writeUInt16BE(port, 2);
  datagram.writeUInt16BE(datagram.length, 4);
  return frame(to, 0x0800, ipv4('10.110.0.99', target, 17, datagram));
}

/** The same with an 802.1Q tag, or another's. */
export function tagged(untagged: Buffer, vlan: number, etherType = 0x8100): Buffer {
  const tag = Buffer.from([etherType >> 8, etherType & 0xff, vlan >> 8, vlan & 0xff]);
  return Buffer.concat([untagged.subarray(0, 12), tag, untagged.subarray(12)]);
}

function ipv6(to: string, target: string, next: number, payload: Buffer, source = SENDER_6): Buffer {
  const header = Buffer.from([0x60, 0, 0, 0, 0, payload.length, next, 255]);
  return frame(to, 0x86dd, Buffer.concat([header, addressBytes(source, 6), addressBytes(target, 6), payload]));
}

const ICMPV6 = 58;

function icmpv6(to: string, target: string, type: number, rest: Buffer): Buffer {
  const message = Buffer.concat([Buffer.from([type, 0, 0, 0]), rest]);
  const tail = Buffer.from([0, 0, 0, message.length, 0, 0, 0, ICMPV6]);
  const sum = internetChecksum(addressBytes(SENDER_6, 6), addressBytes(target, 6), tail, message);
  message.writeUInt16BE(sum, 2);
  return ipv6(to, target, ICMPV6, message);
}

/** An advertisement behind a fragment header that says that it is all there is (RFC 6980 section 2). */
function fragmentedAdvertisement(): Buffer {
  const whole = routerAdvertisement(mac(SENDER), SENDER_6, 'fd00:bad::');
  const alone = Buffer.from([ICMPV6, 0, 0, 0, 0, 0, 0, 1]);
  return ipv6('33:33:00:00:00:01', 'ff02::1', 44, Buffer.concat([alone, whole.subarray(54)]));
}

/** An advertisement behind a header of hop-by-hop options (RFC 8200 section 4.3). */
function optionedAdvertisement(): Buffer {
  const whole = routerAdvertisement(mac(SENDER), SENDER_6, 'fd00:bad::');
  const padding = Buffer.from([ICMPV6, 0, 1, 4, 0, 0, 0, 0]);
  return ipv6('33:33:00:00:00:01', 'ff02::1', 0, Buffer.concat([padding, whole.subarray(54)]));
}

/** The first fragment of a DHCPv6 answer whose UDP header is in the second, behind options (RFC 7112). */
function hiddenAnswer(to: string): Buffer {
  const [first, options] = [Buffer.from([60, 0, 0, 1, 0, 0, 0, 1]), Buffer.from([17, 3, 1, 4, 0, 0, 0, 0])];
  return ipv6(to, 'fe80::11', 44, Buffer.concat([first, options]), 'fd00:110::99');
}

/** An Ethernet frame's payload in LLC and SNAP (RFC 1042). */
function inSnap(ethernet: Buffer): Buffer {
  const payload = Buffer.concat([Buffer.from([0xaa, 0xaa, 3, 0, 0, 0]), ethernet.subarray(12)]);
  return frame(ethernet.toString('hex', 0, 6), payload.length, payload);
}

const llc = (to: string): Buffer => {
  const payload = Buffer.alloc(46);
  payload.set([0x42, 0x42, 0x03]);
  return frame(to, 38, payload);
};
const ALL = 'ff:ff:ff:ff:ff:ff';
const from = (source: string, other: Buffer): Buffer =>
  Buffer.concat([other.subarray(0, 6), bytes(source), other.subarray(12)]);
const dcp = (to: string, id: number): Buffer => frame(to, 0x8892, Buffer.from([id >> 8, id & 0xff, 5, 0, 0, 0, 0, 1]));

/** What is never let across, by the guard that it belongs to; `to` is the MAC of a workload at the other side. */
export function harmful(to: string): Readonly<Record<string, readonly [reason: string, frame: Buffer]>> {
  const solicited = Buffer.concat([Buffer.alloc(4), addressBytes('fe80::99', 6), addressBytes('fd00:110::5', 6)]);
  return {
    'a DHCP offer': ['dhcp', udp(ALL, '255.255.255.255', 68, 67)],
    'a DHCP offer to one station': ['dhcp', udp(to, '10.110.0.11', 68, 67)],
    'a DHCP request': ['dhcp', udp(ALL, '255.255.255.255', 67, 68)],
    'a DHCPv6 answer': ['dhcp', udp(to, '10.110.0.11', 546, 547)],
    'a router advertisement': ['ra', routerAdvertisement(mac(SENDER), SENDER_6, 'fd00:bad::')],
    'a router advertisement in a fragment': ['ra', fragmentedAdvertisement()],
    'a router advertisement behind options': ['ra', optionedAdvertisement()],
    'a router advertisement in SNAP': ['protocol', inSnap(routerAdvertisement(mac(SENDER), SENDER_6, 'fd00:bad::'))],
    'a DHCP offer in SNAP': ['protocol', inSnap(udp(to, '10.110.0.11', 68, 67))],
    'a DHCPv6 answer whose port is in the next fragment': ['dhcp', hiddenAnswer(to)],
    'a DHCP offer behind an old tag': ['protocol', tagged(udp(to, '10.110.0.11', 68, 67), 5, 0x9100)],
    'a redirect': ['ra', icmpv6(to, 'fe80::11', 137, solicited)],
    'VXLAN to one station': ['nested', udp(to, '10.110.0.11', 4789)],
    'VXLAN to all': ['nested', udp(ALL, '255.255.255.255', 4789)],
    'a group as source': ['group_source', from('03:00:00:00:00:99', udp(to, '10.110.0.11', 7))],
    'nobody as source': ['group_source', from('00:00:00:00:00:00', udp(to, '10.110.0.11', 7))],
    'spanning tree': ['link_local', llc('01:80:c2:00:00:00')],
    pause: ['link_local', frame('01:80:c2:00:00:01', 0x8808, Buffer.from([0, 1, 0xff, 0xff]))],
    LACP: ['link_local', frame('01:80:c2:00:00:02', 0x8809, Buffer.from([1, 1]))],
    LLDP: ['link_local', frame('01:80:c2:00:00:0e', 0x88cc, Buffer.from([2, 7, 4]))],
    MVRP: ['link_local', frame('01:80:c2:00:00:21', 0x88f5, Buffer.from([0, 1]))],
    'PVST+': ['link_local', llc('01:00:0c:cc:cc:cd')],
    'a tagged DHCP offer': ['inner_vlan', tagged(udp(to, '10.110.0.11', 68, 67), 5)],
    MRP: ['protocol', frame('01:15:4e:00:00:01', 0x88e3, Buffer.from([0, 1]))],
    'MRP to one station': ['protocol', frame(to, 0x88e3, Buffer.from([0, 1]))],
    'PROFINET cyclic data': ['protocol', frame(to, 0x8892, Buffer.from([0x80, 0x01]))],
    'PROFINET DCP Set': ['protocol', dcp(to, 0xfefd)],
    EtherCAT: ['protocol', frame(ALL, 0x88a4, Buffer.from([0, 1]))],
    PTP: ['protocol', frame('01:1b:19:00:00:00', 0x88f7, Buffer.from([0, 1]))],
    VRRP: ['protocol', frame('01:00:5e:00:00:12', 0x0800, ipv4('10.110.0.99', '224.0.0.18', 112, Buffer.alloc(20)))],
    OSPF: ['protocol', frame('01:00:5e:00:00:05', 0x0800, ipv4('10.110.0.99', '224.0.0.5', 89, Buffer.alloc(24)))],
    HSRP: ['protocol', udp('01:00:5e:00:00:02', '224.0.0.2', 1985)],
  };
}

/** What some profile lets across: multicast or broadcast, and PROFINET's answer to one station. */
export function discoveries(to: string): Readonly<Record<string, Buffer>> {
  return {
    'DCP Identify': dcp('01:0e:cf:00:00:00', 0xfefe),
    'DCP Identify answer': dcp(to, 0xfeff),
    BACnet: udp(ALL, '255.255.255.255', 47_808),
    'EtherNet/IP': udp(ALL, '255.255.255.255', 44_818),
    mDNS: udp('01:00:5e:00:00:fb', '224.0.0.251', 5353),
    SSDP: udp('01:00:5e:7f:ff:fa', '239.255.255.250', 1900),
    'any other': udp(ALL, '255.255.255.255', 9999),
  };
}

/** What crosses whatever the profile: unicast IP; with another port it is another flow. */
export const plain = (to: string, port = 7): Buffer => udp(to, '10.110.0.11', port);

type Outer = { readonly source: string; readonly vni: number; readonly inner: Buffer };

/** A frame in VXLAN (RFC 7348 section 5), as IPv4 packets to a VTEP: one, or two fragments of it. */
export function vxlanPackets(vtep: string, { source, vni, inner }: Outer, fragments: 1 | 2 = 1): readonly Buffer[] {
  const header = Buffer.alloc(16);
  header.writeUInt16BE(50_000, 0);
  header.writeUInt16BE(4789, 2);
  header.writeUInt16BE(header.length + inner.length, 4);
  header.writeUInt8(0x08, 8);
  header.writeUInt32BE(vni * 256, 12);
  const whole = Buffer.concat([header, inner]);
  if (fragments === 1) return [ipv4(source, vtep, 17, whole)];
  // A fragment's place is in units of 8 bytes.
  const at = 48;
  return [
    fragment(ipv4(source, vtep, 17, whole.subarray(0, at)), 0x2000),
    fragment(ipv4(source, vtep, 17, whole.subarray(at)), at / 8),
  ];
}

/** The packet with these flags and this place among its fellows. */
function fragment(packet: Buffer, flags: number): Buffer {
  packet.writeUInt16BE(0x4711, 4);
  packet.writeUInt16BE(flags, 6);
  packet.writeUInt16BE(0, 10);
  packet.writeUInt16BE(internetChecksum(packet.subarray(0, 20)), 10);
  return packet;
}
