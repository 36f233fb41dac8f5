// From one frame as the TAP gives it, up to 64 KiB with unfinished checksums, to VXLAN packets of the network's size.
// Payload is summed and copied in one pass, behind its header, to where the packet is sent from.
import { copyAndSum, finish } from './checksum.as';
import { flowHash } from './flow.as';
import {
  be16,
  body,
  ETHERNET,
  GSO_NONE,
  isTcp,
  isUdp,
  NEEDS_CHECKSUM,
  parse,
  transport,
  VNET,
  VXLAN,
  writeVxlan,
} from './headers.as';
import { addPacket, beginFrame, hasRoom, MESSAGES_END, next, pathMtu, prepare } from './messages.as';
import { clampMss } from './mss.as';
import { segment } from './super-frame.as';
import { FULL, MALFORMED, NESTED, TOO_BIG, TRUNCATED } from './verdicts.as';

export {
  COUNTS,
  isHalfEmpty,
  MESSAGE_SIZE,
  messageCount,
  MESSAGES,
  PEER_SIZE,
  PEERS,
  PEERS_MAX,
  repeat,
  reset,
  resetToRepeat,
  seal,
  single,
  SOCKETS,
} from './messages.as';

// ---- the memory's map goes on: slots that the TAP's frames are read to
export const SLOTS: u32 = MESSAGES_END;
/** the longest frame that a TAP gives: virtio header, two VLAN tags, 64 KiB */
export const SLOT_SIZE: u32 = 65536 + 64;
export const SLOT_COUNT: u32 = 8;
export const MEMORY_PAGES: u32 = (SLOTS + SLOT_COUNT * SLOT_SIZE + 0xffff) >> 16;

let ownPort: u32 = 0;

/**
 * @param address of this memory's first byte in the process
 * @param port of VXLAN: what carries it inside is dropped, or an overlay would travel in itself
 * @param sockets in the pool, a power of two
 */
export function configure(address: u64, port: u32, sockets: u32): void {
  ownPort = port;
  prepare(address, sockets);
}

/**
 * Makes the packets of one frame, which lies at `at`, virtio header first, and is `length` bytes long with it.
 * @param mtu of the network: the longest IP packet in it
 * @returns the number of packets, or why there are none
 */
export function encapsulate(at: u32, length: u32, vni: u32, peer: u32, mtu: u32): i32 {
  if (length < VNET + ETHERNET) return TRUNCATED;
  const ethernet = at + VNET;
  const end = at + length;
  const flags = <u32>load<u8>(at);
  // The highest bit only tells of ECN (VIRTIO_NET_HDR_GSO_ECN).
  const gso = <u32>load<u8>(at + 1) & 0x7f;
  const size = <u32>load<u16>(at + 4);
  const start = ethernet + <u32>load<u16>(at + 6);
  const field = start + <u32>load<u16>(at + 8);
  parse(ethernet, end);
  if (isUdp() && be16(transport + 2) == ownPort) return NESTED;
  beginFrame();
  if (gso != GSO_NONE) return segment(ethernet, end, gso, size, start, vni, peer, mtu);
  const overhead = body - ethernet;
  if (end - ethernet > overhead + mtu) return TOO_BIG;
  const finishes = (flags & NEEDS_CHECKSUM) != 0;
  if (finishes && (start < ethernet + ETHERNET || field + 2 > end)) return MALFORMED;
  const bytes = end - ethernet + VXLAN;
  if (!hasRoom(1, bytes)) return FULL;
  if (isTcp()) clampMss(pathMtu(peer, mtu), finishes);
  writeVxlan(next, vni);
  const copy = next + VXLAN - ethernet;
  if (finishes) {
    copyAndSum(ethernet + copy, ethernet, start - ethernet);
    store<u16>(field + copy, <u16>finish(copyAndSum(start + copy, start, end - start)));
  } else {
    copyAndSum(ethernet + copy, ethernet, end - ethernet);
  }
  addPacket(peer, flowHash(ethernet), bytes);
  return 1;
}
