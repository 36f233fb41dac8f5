// What recvmmsg(2) fills: messages, each with one datagram or up to 64 of one size in a row (UDP_GRO).
import { ETHERNET, VXLAN } from './headers.as';
import { addressOf, IOVEC_SIZE, writeIovec } from './iovec.as';
import { JOBS_END } from './jobs.as';

// ---- the memory's map goes on
export const MESSAGES: u32 = JOBS_END;
export const MESSAGES_MAX: u32 = 16;
/** struct mmsghdr */
const MESSAGE_SIZE: u32 = 64;
/** sockaddr_in or sockaddr_in6 of the sender */
export const NAMES: u32 = MESSAGES + MESSAGES_MAX * MESSAGE_SIZE;
export const NAME_SIZE: u32 = 32;
const CONTROLS: u32 = NAMES + MESSAGES_MAX * NAME_SIZE;
const CONTROL_SIZE: u32 = 64;
const IOVECS: u32 = CONTROLS + MESSAGES_MAX * CONTROL_SIZE;
/** by peer: the longest IP packet that the way to it passes, 0 if any; as many as `PEERS_MAX` */
export const PATHS: u32 = IOVECS + MESSAGES_MAX * IOVEC_SIZE;
const PATHS_SIZE: u32 = 4096 * 2;
const BUFFERS: u32 = PATHS + PATHS_SIZE;
const BUFFER_SIZE: u32 = 65536;
export const MEMORY_PAGES: u32 = (BUFFERS + MESSAGES_MAX * BUFFER_SIZE + 0xffff) >> 16;

/** Datagrams that a message can hold at most, each with a header at least. */
export const DATAGRAMS_MAX: u32 = BUFFER_SIZE / (VXLAN + ETHERNET) + 1;

const SOL_UDP: i32 = 17;
const UDP_GRO: i32 = 104;
const MSG_TRUNC: u32 = 0x20;

/** Makes the messages ready for recvmmsg, which overwrites what was offered. */
export function offer(): void {
  for (let index: u32 = 0; index < MESSAGES_MAX; index++) offerMessage(index);
}

function offerMessage(index: u32): void {
  const message = MESSAGES + index * MESSAGE_SIZE;
  const iovec = IOVECS + index * IOVEC_SIZE;
  writeIovec(iovec, bufferAt(index), BUFFER_SIZE);
  store<u64>(message, addressOf(NAMES + index * NAME_SIZE));
  store<u32>(message + 8, NAME_SIZE);
  store<u64>(message + 16, addressOf(iovec));
  store<u64>(message + 24, 1);
  store<u64>(message + 32, addressOf(CONTROLS + index * CONTROL_SIZE));
  store<u64>(message + 40, CONTROL_SIZE);
  store<u32>(message + 48, 0);
}

export function bufferAt(index: u32): u32 {
  return BUFFERS + index * BUFFER_SIZE;
}

export function messageLength(index: u32): u32 {
  return load<u32>(MESSAGES + index * MESSAGE_SIZE + 56);
}

/** Whether the message was longer than its buffer. */
export function isCut(index: u32): bool {
  return (load<u32>(MESSAGES + index * MESSAGE_SIZE + 48) & MSG_TRUNC) != 0;
}

/** The number of datagrams in a received message. */
export function datagrams(index: u32): u32 {
  const length = messageLength(index);
  const size = datagramSize(index);
  return length == 0 ? 1 : (length + size - 1) / size;
}

/** What UDP_GRO says; where it says nothing, the whole is one datagram. */
export function datagramSize(index: u32): u32 {
  const size = groSize(index);
  return size > 0 ? <u32>size : max<u32>(messageLength(index), 1);
}

/** The control message's number, or 0 where there is none. */
function groSize(index: u32): i32 {
  const control = CONTROLS + index * CONTROL_SIZE;
  if (load<u64>(MESSAGES + index * MESSAGE_SIZE + 40) < 20) return 0;
  if (load<i32>(control + 8) != SOL_UDP || load<i32>(control + 12) != UDP_GRO) return 0;
  return load<i32>(control + 16);
}
