// Where the headers of one Ethernet frame lie. Every offset is checked against the frame's end: inside the memory
// nothing traps, so a lying length would read or write a neighbour's bytes.

/** struct virtio_net_hdr of 10 bytes, which a TAP puts before each frame (linux/virtio_net.h), and what its fields say */
export const VNET: u32 = 10;
export const NEEDS_CHECKSUM: u32 = 1;
export const DATA_VALID: u32 = 2;
export const GSO_NONE: u32 = 0;
export const GSO_TCPV4: u32 = 1;
export const GSO_TCPV6: u32 = 4;
export const GSO_UDP_L4: u32 = 5;

/** RFC 7348 section 5: the I flag, and the VNI in the upper 24 bits of the second word */
export const VXLAN: u32 = 8;
export const VXLAN_I: u32 = 0x08;
export const ETHERNET: u32 = 14;
export const IPV4: u32 = 0x0800;
export const IPV6: u32 = 0x86dd;
export const TCP: u32 = 6;
export const UDP: u32 = 17;
export const TCP_PSH: u32 = 0x08;
const VLAN: u32 = 0x8100;
const SERVICE_VLAN: u32 = 0x88a8;

/** EtherType behind the VLAN tags. */
export let etherType: u32 = 0;
/** Start of what the EtherType names. */
export let body: u32 = 0;
/** Start of the IP header; 0 where the frame is no IP, or its IP header lies about its length. */
export let network: u32 = 0;
/** Start of what follows the IP header; 0 where that is a fragment. */
export let transport: u32 = 0;
/** Of the IP packet; what follows is Ethernet's padding. */
export let packetEnd: u32 = 0;
export let protocol: u32 = 0;

export function be16(at: u32): u32 {
  return bswap<u16>(load<u16>(at));
}

export function put16(at: u32, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value));
}

/** Finds the headers of the frame in [ethernet, end), which must hold at least an Ethernet header. */
export function parse(ethernet: u32, end: u32): void {
  network = 0;
  transport = 0;
  protocol = 0;
  let at = ethernet + ETHERNET;
  etherType = be16(at - 2);
  while ((etherType == VLAN || etherType == SERVICE_VLAN) && at + 4 <= end) {
    etherType = be16(at + 2);
    at += 4;
  }
  body = at;
  if (etherType == IPV4) parseIpv4(at, end);
  else if (etherType == IPV6) parseIpv6(at, end);
}

function parseIpv4(at: u32, end: u32): void {
  if (at + 20 > end) return;
  const first = <u32>load<u8>(at);
  const length = (first & 15) * 4;
  const total = be16(at + 2);
  if (first >> 4 != 4 || length < 20 || total < length || at + total > end) return;
  network = at;
  packetEnd = at + total;
  protocol = load<u8>(at + 9);
  // More fragments, or an offset.
  if ((be16(at + 6) & 0x3fff) == 0) transport = at + length;
}

function parseIpv6(at: u32, end: u32): void {
  if (at + 40 > end || load<u8>(at) >> 4 != 6) return;
  const length = be16(at + 4);
  if (at + 40 + length > end) return;
  network = at;
  packetEnd = at + 40 + length;
  protocol = load<u8>(at + 6);
  transport = at + 40;
}

/** Whether a whole UDP header is there. */
export function isUdp(): bool {
  return protocol == UDP && transport != 0 && transport + 8 <= packetEnd;
}

/** Whether a whole TCP header is there, options and all. */
export function isTcp(): bool {
  if (protocol != TCP || transport == 0 || transport + 20 > packetEnd) return false;
  const length = tcpLength();
  return length >= 20 && transport + length <= packetEnd;
}

export function tcpLength(): u32 {
  return <u32>(load<u8>(transport + 12) >> 4) * 4;
}

/** Flags with only I set, reserved bits zero (RFC 7348 section 5). */
export function writeVxlan(at: u32, vni: u32): void {
  store<u32>(at, VXLAN_I);
  store<u32>(at + 4, bswap<u32>(vni << 8));
}
