// TCP and UDP super-frames, cut as the kernel would do it on the way out (TSO, USO).
import { copyAndSum, finish, fold, sum, word } from './checksum.as';
import { flowHash } from './flow.as';
import {
  be16,
  etherType,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  IPV4,
  network,
  put16,
  TCP_PSH,
  VXLAN,
  writeVxlan,
} from './headers.as';
import { addPacket, hasRoom, next } from './messages.as';
import { FULL, MALFORMED, TOO_BIG } from './verdicts.as';

/** so many of one frame, with headers of that size, have room where nothing else is */
const SEGMENTS_MAX: u32 = 2048;
const HEADER_MAX: u32 = 224;
const TCP_FIN: u32 = 0x01;
const TCP_CWR: u32 = 0x80;

/**
 * Cuts the parsed super-frame: one header for each `size` bytes of payload.
 * @param start of the transport header, as the virtio header says
 * @returns the number of packets, or a verdict
 */
export function segment(ethernet: u32, end: u32, gso: u32, size: u32, start: u32, vni: u32, peer: u32, mtu: u32): i32 {
  const tcp = gso == GSO_TCPV4 || gso == GSO_TCPV6;
  if ((!tcp && gso != GSO_UDP_L4) || size == 0 || network == 0) return MALFORMED;
  const four = etherType == IPV4;
  if (tcp && four != (gso == GSO_TCPV4)) return MALFORMED;
  // An IPv4 header ends where it says; an IPv6 one has 40 bytes and may have extensions behind it.
  const least = network + (four ? <u32>(load<u8>(network) & 15) * 4 : 40);
  if (four ? start != least : start < least) return MALFORMED;
  if (start + (tcp ? 20 : 8) > end) return MALFORMED;
  const headerLength = tcp ? <u32>(load<u8>(start + 12) >> 4) * 4 : 8;
  const payload = start + headerLength;
  const length = payload - ethernet;
  if (headerLength < 8 || (tcp && headerLength < 20) || payload >= end || VXLAN + length > HEADER_MAX) return MALFORMED;
  if (payload - network + size > mtu) return TOO_BIG;
  const count = (end - payload + size - 1) / size;
  if (count > SEGMENTS_MAX) return MALFORMED;
  if (!hasRoom(count, count * (VXLAN + length) + end - payload)) return FULL;
  const field = start + (tcp ? 16 : 6);
  // The field holds the pseudo header's sum, with the length of the whole (linux/virtio_net.h).
  const pseudo = <u64>load<u16>(field) + word(~(end - start) & 0xffff);
  store<u16>(field, 0);
  const flow = flowHash(ethernet);
  const sequence = tcp ? bswap<u32>(load<u32>(start + 4)) : 0;
  const flags = tcp ? <u32>load<u8>(start + 13) : 0;
  const identification = four ? be16(network + 4) : 0;
  const networkAt = VXLAN + network - ethernet;
  const startAt = VXLAN + start - ethernet;
  const networkLength = start - network;
  let from = payload;
  for (let i: u32 = 0; i < count; i++) {
    const bytes = min(size, end - from);
    const header = next;
    writeVxlan(header, vni);
    copyAndSum(header + VXLAN, ethernet, length);
    const ip = header + networkAt;
    const transportHeader = header + startAt;
    const transportLength = headerLength + bytes;
    if (four) {
      put16(ip + 2, networkLength + transportLength);
      put16(ip + 4, identification + i);
      store<u16>(ip + 10, 0);
      store<u16>(ip + 10, <u16>~fold(sum(ip, networkLength)));
    } else {
      put16(ip + 4, networkLength - 40 + transportLength);
    }
    if (tcp) {
      store<u32>(transportHeader + 4, bswap<u32>(sequence + i * size));
      // FIN and PSH belong to the last segment, CWR to the first (RFC 3168 section 6.1.2).
      let kept = flags;
      if (i + 1 < count) kept &= ~(TCP_FIN | TCP_PSH);
      if (i > 0) kept &= ~TCP_CWR;
      store<u8>(transportHeader + 13, <u8>kept);
    } else {
      put16(transportHeader + 4, transportLength);
    }
    const payloadSum = copyAndSum(header + VXLAN + length, from, bytes);
    const total = pseudo + word(transportLength) + sum(transportHeader, headerLength) + payloadSum;
    store<u16>(header + VXLAN + field - ethernet, <u16>finish(total));
    addPacket(peer, flow, VXLAN + length + bytes);
    from += bytes;
  }
  return count;
}
