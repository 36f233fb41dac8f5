// From one frame as the TAP gives it, up to 64 KiB with unfinished checksums, to VXLAN packets of the network's size,
// as the structures that sendmmsg(2) takes. Payload is never copied: a packet is a header of ours and a pointer into
// the frame. Consecutive packets of one size to one peer make one message, which the kernel cuts up (UDP_SEGMENT).
import { finish, fold, sum, word } from './checksum.as';
import {
  be16,
  body,
  etherType,
  ETHERNET,
  IPV4,
  isTcp,
  isUdp,
  network,
  packetEnd,
  parse,
  put16,
  tcpLength,
  transport,
} from './headers.as';

// ---- the memory's map; TypeScript reads these as exported globals
export const PEERS: u32 = 0x1000;
export const PEERS_MAX: u32 = 4096;
/** sockaddr_in or sockaddr_in6, its length at +28 */
export const PEER_SIZE: u32 = 32;
export const MESSAGES: u32 = PEERS + PEERS_MAX * PEER_SIZE;
export const MESSAGES_MAX: u32 = 1024;
/** struct mmsghdr */
export const MESSAGE_SIZE: u32 = 64;
const CONTROLS: u32 = MESSAGES + MESSAGES_MAX * MESSAGE_SIZE;
const CONTROL_SIZE: u32 = 32;
/** by message: which socket of the pool */
export const SOCKETS: u32 = CONTROLS + MESSAGES_MAX * CONTROL_SIZE;
/** by message: how many frames of the network it carries, for the counters */
export const PACKETS: u32 = SOCKETS + MESSAGES_MAX * 4;
const IOVECS: u32 = PACKETS + MESSAGES_MAX * 4;
const IOVECS_MAX: u32 = 8192;
const HEADERS: u32 = IOVECS + IOVECS_MAX * 16;
const HEADERS_MAX: u32 = 2048;
const HEADER_SIZE: u32 = 224;
export const FRAMES: u32 = HEADERS + HEADERS_MAX * HEADER_SIZE + 6;
/** the longest frame that a TAP gives: virtio header, two VLAN tags, 64 KiB */
export const FRAME_MAX: u32 = 65536 + 64;
const FRAMES_SIZE: u32 = 12 * FRAME_MAX;
export const MEMORY_PAGES: u32 = (FRAMES + FRAMES_SIZE + 0xffff) >> 16;

// ---- why a frame makes no packet
export const TRUNCATED: i32 = -1;
export const MALFORMED: i32 = -2;
export const TOO_BIG: i32 = -3;
export const NESTED: i32 = -4;
/** no room left for this one: send what is there, `reset`, and try again */
export const FULL: i32 = -5;

const VNET: u32 = 10;
const VXLAN: u32 = 8;
const NEEDS_CHECKSUM: u32 = 1;
const GSO_NONE: u32 = 0;
const GSO_TCPV4: u32 = 1;
const GSO_TCPV6: u32 = 4;
const GSO_UDP_L4: u32 = 5;
const SEGMENTS_MAX: u32 = 64;
/** 65535 less the IPv4 and UDP headers */
const PAYLOAD_MAX: u32 = 65507;
const SOL_UDP: i32 = 17;
const UDP_SEGMENT: i32 = 103;
const TCP_FIN: u32 = 0x01;
const TCP_SYN: u32 = 0x02;
const TCP_PSH: u32 = 0x08;
const TCP_CWR: u32 = 0x80;

let base: u64 = 0;
let ownPort: u32 = 0;
/** packets in a message at most */
let segmentsMax: u32 = SEGMENTS_MAX;
let socketMask: u32 = 0;

let messages: u32 = 0;
let iovecs: u32 = 0;
let headers: u32 = 0;
let frames: u32 = FRAMES;
/** the message that still takes packets */
let open: bool = false;
let openPeer: u32 = 0;
let openSocket: u32 = 0;
let openSize: u32 = 0;
let openPackets: u32 = 0;
let openBytes: u32 = 0;
/** where the last frame's messages lie, for `repeat` */
let lastMessage: u32 = 0;
let lastCount: u32 = 0;

/**
 * @param address of this memory's first byte in the process
 * @param port of VXLAN: what carries it inside is dropped, or an overlay would travel in itself
 * @param sockets in the pool, a power of two
 */
export function configure(address: u64, port: u32, sockets: u32): void {
  base = address;
  ownPort = port;
  socketMask = sockets - 1;
  reset();
}

/** From now on one packet in a message: for a kernel or a route that does not cut (UDP_SEGMENT refused). */
export function single(): void {
  segmentsMax = 1;
}

/** Forgets all messages; frames read before stay readable until the next `room`. */
export function reset(): void {
  messages = 0;
  iovecs = 0;
  headers = 0;
  frames = FRAMES;
  open = false;
}

/**
 * Forgets all messages but makes the last frame's ready to be repeated: what they point to stays. Made anew they cannot
 * be, for the frame lost its virtio header and its unfinished checksum.
 */
export function resetToRepeat(): void {
  messages = 0;
  open = false;
}

/** Where the next frame may be read to, or 0 where there is no room for one of the largest. */
export function room(): u32 {
  return frames + FRAME_MAX <= FRAMES + FRAMES_SIZE && messages + 64 < MESSAGES_MAX ? frames : 0;
}

export function messageCount(): u32 {
  return messages;
}

/** The next packet begins a message of its own. */
export function seal(): void {
  open = false;
}

/**
 * Makes the packets of one frame, which lies at `at`, virtio header first, and is `length` bytes long with it.
 * @param mtu of the network: the longest IP packet in it
 * @returns the number of packets, or why there are none
 */
export function encapsulate(at: u32, length: u32, vni: u32, peer: u32, mtu: u32): i32 {
  frames = max(frames, (at + length + 15) & ~15) | 6;
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
  lastMessage = messages;
  lastCount = 0;
  if (gso != GSO_NONE) return segment(ethernet, end, gso, size, start, vni, peer, mtu);
  const overhead = body - ethernet;
  if (end - ethernet > overhead + mtu) return TOO_BIG;
  const finishes = (flags & NEEDS_CHECKSUM) != 0;
  if (finishes && (start < ethernet + ETHERNET || field + 2 > end)) return MALFORMED;
  if (messages == MESSAGES_MAX || iovecs == IOVECS_MAX) return FULL;
  if (isTcp()) clampMss(mtu, finishes);
  if (finishes) store<u16>(field, <u16>finish(sum(start, end - start)));
  writeVxlan(ethernet - VXLAN, vni);
  const bytes = end - ethernet + VXLAN;
  addPacket(peer, flowHash(ethernet) & socketMask, bytes);
  addIovec(ethernet - VXLAN, bytes);
  lastCount = messages - lastMessage;
  return 1;
}

/**
 * The last frame's messages once more, to another peer (head-end replication); `seal` first, or they hold other frames
 * too. Returns false where there is no room.
 */
export function repeat(peer: u32): bool {
  if (messages + lastCount > MESSAGES_MAX) return false;
  // Upwards: after `resetToRepeat` both places may overlap, the new one being the lower.
  for (let i: u32 = 0; i < lastCount; i++) copyMessage(lastMessage + i, messages + i, peer);
  lastMessage = messages;
  messages += lastCount;
  open = false;
  return true;
}

function copyMessage(from: u32, to: u32, peer: u32): void {
  const message = MESSAGES + to * MESSAGE_SIZE;
  const control = CONTROLS + to * CONTROL_SIZE;
  memory.copy(message, MESSAGES + from * MESSAGE_SIZE, MESSAGE_SIZE);
  memory.copy(control, CONTROLS + from * CONTROL_SIZE, CONTROL_SIZE);
  // Its own control message: the place of the old one may be given to another frame before this is sent.
  if (load<u64>(message + 32) != 0) store<u64>(message + 32, base + control);
  writeName(message, peer);
  store<u32>(SOCKETS + to * 4, load<u32>(SOCKETS + from * 4));
  store<u32>(PACKETS + to * 4, load<u32>(PACKETS + from * 4));
}

/** TCP and UDP super-frames: one header for each `size` bytes of payload. */
function segment(ethernet: u32, end: u32, gso: u32, size: u32, start: u32, vni: u32, peer: u32, mtu: u32): i32 {
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
  if (headerLength < 8 || (tcp && headerLength < 20) || payload >= end || VXLAN + length > HEADER_SIZE)
    return MALFORMED;
  if (payload - network + size > mtu) return TOO_BIG;
  const count = (end - payload + size - 1) / size;
  if (count > HEADERS_MAX) return MALFORMED;
  if (headers + count > HEADERS_MAX || iovecs + 2 * count > IOVECS_MAX) return FULL;
  if (messages + count / segmentsMax + 2 > MESSAGES_MAX) return FULL;
  const field = start + (tcp ? 16 : 6);
  // The field holds the pseudo header's sum, with the length of the whole (linux/virtio_net.h).
  const pseudo = <u64>load<u16>(field) + word(~(end - start) & 0xffff);
  store<u16>(field, 0);
  const socket = flowHash(ethernet) & socketMask;
  const sequence = tcp ? bswap<u32>(load<u32>(start + 4)) : 0;
  const flags = tcp ? <u32>load<u8>(start + 13) : 0;
  const identification = four ? be16(network + 4) : 0;
  const networkAt = VXLAN + network - ethernet;
  const startAt = VXLAN + start - ethernet;
  const networkLength = start - network;
  let from = payload;
  for (let i: u32 = 0; i < count; i++) {
    const bytes = min(size, end - from);
    const header = HEADERS + headers++ * HEADER_SIZE;
    writeVxlan(header, vni);
    memory.copy(header + VXLAN, ethernet, length);
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
    const total = pseudo + word(transportLength) + sum(transportHeader, headerLength) + sum(from, bytes);
    store<u16>(header + VXLAN + field - ethernet, <u16>finish(total));
    addPacket(peer, socket, VXLAN + length + bytes);
    addIovec(header, VXLAN + length);
    addIovec(from, bytes);
    from += bytes;
  }
  lastCount = messages - lastMessage;
  return count;
}

/** Flags with only I set, reserved bits zero, 24 bits of VNI (RFC 7348 section 5). */
function writeVxlan(at: u32, vni: u32): void {
  store<u32>(at, 0x08);
  store<u32>(at + 4, bswap<u32>(vni << 8));
}

/** Counts a packet of `bytes` into the open message, or opens one for packets of that size; a shorter one is its last. */
function addPacket(peer: u32, socket: u32, bytes: u32): void {
  const fits =
    open &&
    openPeer == peer &&
    openSocket == socket &&
    bytes <= openSize &&
    openPackets < segmentsMax &&
    openBytes + bytes <= PAYLOAD_MAX;
  if (!fits) openMessage(peer, socket, bytes);
  openPackets++;
  openBytes += bytes;
  const message = MESSAGES + (messages - 1) * MESSAGE_SIZE;
  store<u32>(PACKETS + (messages - 1) * 4, openPackets);
  if (openPackets == 2) {
    store<u64>(message + 32, base + CONTROLS + (messages - 1) * CONTROL_SIZE);
    store<u64>(message + 40, 24);
  }
  if (bytes < openSize) open = false;
}

/** struct mmsghdr and its control message, for packets of `size`. */
function openMessage(peer: u32, socket: u32, size: u32): void {
  const message = MESSAGES + messages * MESSAGE_SIZE;
  const control = CONTROLS + messages * CONTROL_SIZE;
  writeName(message, peer);
  store<u64>(message + 16, base + IOVECS + iovecs * 16);
  store<u64>(message + 24, 0);
  store<u64>(message + 32, 0);
  store<u64>(message + 40, 0);
  store<u32>(message + 48, 0);
  store<u64>(control, 18);
  store<i32>(control + 8, SOL_UDP);
  store<i32>(control + 12, UDP_SEGMENT);
  store<u16>(control + 16, <u16>size);
  store<u32>(SOCKETS + messages * 4, socket);
  messages++;
  open = true;
  openPeer = peer;
  openSocket = socket;
  openSize = size;
  openPackets = 0;
  openBytes = 0;
}

function writeName(message: u32, peer: u32): void {
  const name = PEERS + peer * PEER_SIZE;
  store<u64>(message, base + name);
  store<u32>(message + 8, load<u32>(name + 28));
}

function addIovec(at: u32, length: u32): void {
  const iovec = IOVECS + iovecs++ * 16;
  store<u64>(iovec, base + at);
  store<u64>(iovec + 8, length);
  const message = MESSAGES + (messages - 1) * MESSAGE_SIZE;
  store<u64>(message + 24, load<u64>(message + 24) + 1);
}

/** One number for all packets of a flow: where they leave from, so that routers on the way can spread flows. */
function flowHash(ethernet: u32): u32 {
  let hash: u32;
  if (network == 0) {
    hash = load<u32>(ethernet) ^ load<u32>(ethernet + 4) ^ load<u32>(ethernet + 8);
  } else if (etherType == IPV4) {
    hash = load<u32>(network + 12) ^ load<u32>(network + 16);
  } else {
    const low = load<u64>(network + 8) ^ load<u64>(network + 24);
    const high = load<u64>(network + 16) ^ load<u64>(network + 32);
    hash = <u32>(low ^ high) ^ <u32>((low ^ high) >> 32);
  }
  if (isTcp() || isUdp()) hash ^= load<u32>(transport);
  // The finaliser of MurmurHash3: every bit of the input moves every bit of the result.
  hash = (hash ^ (hash >> 16)) * 0x85ebca6b;
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35;
  return hash ^ (hash >> 16);
}

/**
 * A SYN that promises to take longer segments than the network passes is told down (RFC 4459 section 3.2).
 * @param unfinished the checksum is worked out later
 */
function clampMss(mtu: u32, unfinished: bool): void {
  if ((<u32>load<u8>(transport + 13) & TCP_SYN) == 0) return;
  const most = mtu - (etherType == IPV4 ? 40 : 60);
  const end = transport + tcpLength();
  let at = transport + 20;
  while (at + 4 <= end) {
    const kind = load<u8>(at);
    if (kind == 0) return;
    const length = kind == 1 ? 1 : <u32>load<u8>(at + 1);
    if (length == 0) return;
    if (kind == 2 && length == 4) {
      const told = be16(at + 2);
      if (told > most) rewriteMss(at + 2, told, most, unfinished);
      return;
    }
    at += length;
  }
}

function rewriteMss(at: u32, told: u32, most: u32, unfinished: bool): void {
  put16(at, most);
  if (unfinished) return;
  // RFC 1624 equation 3; at an odd offset the two bytes lie in two words.
  const odd = ((at - transport) & 1) != 0;
  const before = odd ? <u64>told : word(told);
  const after = odd ? <u64>most : word(most);
  const field = transport + 16;
  const total = <u64>(~load<u16>(field) & 0xffff) + (~before & 0xffff) + after;
  store<u16>(field, <u16>finish(total));
}
