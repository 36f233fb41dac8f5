// What sendmmsg(2) takes. A message's packets lie one behind the other, so that one iovec names them all: with one for
// each header and each payload, pointing into the TAP's frames, the kernel took a tenth longer for each byte of TCP.
import { addressOf, IOVEC_SIZE, locate, writeIovec } from './iovec.as';

// ---- the memory's map; TypeScript reads these as exported globals
export const PEERS: u32 = 0x1000;
export const PEERS_MAX: u32 = 4096;
/** sockaddr_in or sockaddr_in6, its length at +28, and at +30 the longest IP packet that its way passes, 0 if any */
export const PEER_SIZE: u32 = 32;
export const MESSAGES: u32 = PEERS + PEERS_MAX * PEER_SIZE;
/** more than the packets of one frame: where the kernel does not cut, each is a message */
export const MESSAGES_MAX: u32 = 2056;
/** struct mmsghdr */
export const MESSAGE_SIZE: u32 = 64;
const CONTROLS: u32 = MESSAGES + MESSAGES_MAX * MESSAGE_SIZE;
const CONTROL_SIZE: u32 = 32;
const IOVECS: u32 = CONTROLS + MESSAGES_MAX * CONTROL_SIZE;
/** by message: which socket of the pool */
export const SOCKETS: u32 = IOVECS + MESSAGES_MAX * IOVEC_SIZE;
/** by message: how many packets it holds, each a frame of the network */
export const COUNTS: u32 = SOCKETS + MESSAGES_MAX * 4;
const PACKETS: u32 = COUNTS + MESSAGES_MAX * 4;
const PACKETS_SIZE: u32 = 1 << 20;
export const MESSAGES_END: u32 = PACKETS + PACKETS_SIZE;

/** UDP_MAX_SEGMENTS of Linux before 6.9 */
const SEGMENTS_MAX: u32 = 64;
/** 65535 less the IPv4 and UDP headers */
const PAYLOAD_MAX: u32 = 65507;
const SOL_UDP: i32 = 17;
const UDP_SEGMENT: i32 = 103;

/** packets in a message at most */
let segmentsMax: u32 = SEGMENTS_MAX;
let socketMask: u32 = 0;

let messages: u32 = 0;
/** where the next packet is to be written */
export let next: u32 = PACKETS;
/** the last message still takes packets */
let open: bool = false;
let openPeer: u32 = 0;
let openSocket: u32 = 0;
let openSize: u32 = 0;
let openPackets: u32 = 0;
let openBytes: u32 = 0;
/** the messages of the frame since `beginFrame`, for `repeat` */
let firstOfFrame: u32 = 0;
let countOfFrame: u32 = 0;

/**
 * @param address of this memory's first byte in the process
 * @param sockets in the pool, a power of two
 */
export function prepare(address: u64, sockets: u32): void {
  locate(address);
  socketMask = sockets - 1;
  reset();
}

/** From now on one packet in a message: for a kernel or a route that does not cut (UDP_SEGMENT refused). */
export function single(): void {
  segmentsMax = 1;
}

/** Forgets all messages and packets. */
export function reset(): void {
  messages = 0;
  next = PACKETS;
  open = false;
}

/** Forgets all messages but makes the last frame's ready to be repeated: its packets stay. */
export function resetToRepeat(): void {
  messages = 0;
  open = false;
}

export function messageCount(): u32 {
  return messages;
}

/** The next packet begins a message of its own. */
export function seal(): void {
  open = false;
}

/** Whether so many packets have room. A message ends by its number of packets, or by its bytes: some four for 64 KiB. */
export function hasRoom(packets: u32, bytes: u32): bool {
  return messages + packets / segmentsMax + 4 <= MESSAGES_MAX && next + bytes <= PACKETS + PACKETS_SIZE;
}

/** Whether there is room for more than a few frames. */
export function isHalfEmpty(): bool {
  return messages < MESSAGES_MAX / 2 && next < PACKETS + PACKETS_SIZE / 2;
}

export function beginFrame(): void {
  firstOfFrame = messages;
  countOfFrame = 0;
}

/** Takes the `bytes` at `next` as a packet, into the open message or one of its own; a shorter one is a message's last. */
export function addPacket(peer: u32, flow: u32, bytes: u32): void {
  const socket = flow & socketMask;
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
  next += bytes;
  const index = messages - 1;
  writeIovec(IOVECS + index * IOVEC_SIZE, next - openBytes, openBytes);
  store<u32>(COUNTS + index * 4, openPackets);
  if (openPackets == 2) addControl(index);
  if (bytes < openSize) open = false;
  countOfFrame = messages - firstOfFrame;
}

/** struct mmsghdr, for packets of `size`. */
function openMessage(peer: u32, socket: u32, size: u32): void {
  const message = MESSAGES + messages * MESSAGE_SIZE;
  const iovec = IOVECS + messages * IOVEC_SIZE;
  writeName(message, peer);
  store<u64>(message + 16, addressOf(iovec));
  store<u64>(message + 24, 1);
  store<u64>(message + 32, 0);
  store<u64>(message + 40, 0);
  store<u32>(message + 48, 0);
  store<u32>(SOCKETS + messages * 4, socket);
  messages++;
  open = true;
  openPeer = peer;
  openSocket = socket;
  openSize = size;
  openPackets = 0;
  openBytes = 0;
}

/** struct cmsghdr and the size to cut at, which only a message of several packets has. */
function addControl(index: u32): void {
  const message = MESSAGES + index * MESSAGE_SIZE;
  const control = CONTROLS + index * CONTROL_SIZE;
  store<u64>(control, 18);
  store<i32>(control + 8, SOL_UDP);
  store<i32>(control + 12, UDP_SEGMENT);
  store<u16>(control + 16, <u16>openSize);
  store<u64>(message + 32, addressOf(control));
  store<u64>(message + 40, 24);
}

function writeName(message: u32, peer: u32): void {
  const name = PEERS + peer * PEER_SIZE;
  store<u64>(message, addressOf(name));
  store<u32>(message + 8, load<u16>(name + 28));
}

/** The longest IP packet of the network that gets to a peer. */
export function pathMtu(peer: u32, mtu: u32): u32 {
  const path = <u32>load<u16>(PEERS + peer * PEER_SIZE + 30);
  return path != 0 && path < mtu ? path : mtu;
}

/**
 * The last frame's messages once more, to another peer (head-end replication); `seal` first, or they hold other frames
 * too. Returns false where there is no room.
 */
export function repeat(peer: u32): bool {
  if (messages + countOfFrame > MESSAGES_MAX) return false;
  // Upwards: after `resetToRepeat` both places may overlap, the new one being the lower.
  for (let i: u32 = 0; i < countOfFrame; i++) copyMessage(firstOfFrame + i, messages + i, peer);
  firstOfFrame = messages;
  messages += countOfFrame;
  open = false;
  return true;
}

/** With a control message and an iovec of its own: the place of the old ones may be given to another frame. */
function copyMessage(from: u32, to: u32, peer: u32): void {
  const message = MESSAGES + to * MESSAGE_SIZE;
  const control = CONTROLS + to * CONTROL_SIZE;
  const iovec = IOVECS + to * IOVEC_SIZE;
  memory.copy(message, MESSAGES + from * MESSAGE_SIZE, MESSAGE_SIZE);
  memory.copy(control, CONTROLS + from * CONTROL_SIZE, CONTROL_SIZE);
  memory.copy(iovec, IOVECS + from * IOVEC_SIZE, IOVEC_SIZE);
  store<u64>(message + 16, addressOf(iovec));
  if (load<u64>(message + 32) != 0) store<u64>(message + 32, addressOf(control));
  writeName(message, peer);
  store<u32>(SOCKETS + to * 4, load<u32>(SOCKETS + from * 4));
  store<u32>(COUNTS + to * 4, load<u32>(COUNTS + from * 4));
}
