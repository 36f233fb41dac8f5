// The kernel's structures as the fakes read and write them, in a memory whose addresses are offsets (recvmmsg(2),
// cmsg(3), readv(2); the same layout on x86-64 and arm64).

/** struct mmsghdr: where its fields lie */
export const MESSAGE = {
  name: 0,
  nameLength: 8,
  iovecs: 16,
  iovecCount: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
  length: 56,
  size: 64,
} as const;

const IOVEC = 16;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;
const CMSG_SPACE = 24;
const MSG_TRUNC = 0x20;

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The bytes that `count` iovecs name, in one piece. @throws RangeError where they reach past the memory */
export function gather(bytes: Uint8Array, iovecs: number, count: number): Uint8Array {
  const view = viewOf(bytes);
  const parts: Uint8Array[] = [];
  for (let iovec = iovecs; iovec < iovecs + count * IOVEC; iovec += IOVEC) {
    const at = Number(view.getBigUint64(iovec, true));
    const length = Number(view.getBigUint64(iovec + 8, true));
    if (at + length > bytes.length) throw new RangeError(`an iovec of ${length} bytes at ${at}`);
    parts.push(bytes.subarray(at, at + length));
  }
  return Uint8Array.from(Buffer.concat(parts));
}

/** What a message names. @throws RangeError where it reaches past the memory */
export function messagePayload(bytes: Uint8Array, message: number): Uint8Array {
  const view = viewOf(bytes);
  const count = view.getUint32(message + MESSAGE.iovecCount, true);
  return gather(bytes, view.getUint32(message + MESSAGE.iovecs, true), count);
}

/** What a message's UDP_SEGMENT says, if it has one. */
export function gsoSize(bytes: Uint8Array, message: number): number | undefined {
  const view = viewOf(bytes);
  if (view.getUint32(message + MESSAGE.controlLength, true) === 0) return undefined;
  const control = view.getUint32(message + MESSAGE.control, true);
  const isSegment = view.getInt32(control + 8, true) === SOL_UDP && view.getInt32(control + 12, true) === UDP_SEGMENT;
  return isSegment ? view.getUint16(control + 16, true) : undefined;
}

/** Fills a message with what came from `sender`, as far as its one iovec has room. */
export function scatter(bytes: Uint8Array, message: number, sender: Uint8Array, payload: Uint8Array): void {
  const view = viewOf(bytes);
  bytes.set(sender, view.getUint32(message + MESSAGE.name, true));
  view.setUint32(message + MESSAGE.nameLength, sender.length, true);
  const iovec = view.getUint32(message + MESSAGE.iovecs, true);
  const room = view.getUint32(iovec + 8, true);
  bytes.set(payload.subarray(0, room), view.getUint32(iovec, true));
  view.setUint32(message + MESSAGE.length, Math.min(room, payload.length), true);
  view.setUint32(message + MESSAGE.flags, payload.length > room ? MSG_TRUNC : 0, true);
}

/** Gives a received message its UDP_GRO, or takes the room for it away. */
export function setGroSize(bytes: Uint8Array, message: number, size: number | undefined): void {
  const view = viewOf(bytes);
  view.setBigUint64(message + MESSAGE.controlLength, size === undefined ? 0n : BigInt(CMSG_SPACE), true);
  if (size === undefined) return;
  const control = view.getUint32(message + MESSAGE.control, true);
  view.setBigUint64(control, 20n, true);
  view.setInt32(control + 8, SOL_UDP, true);
  view.setInt32(control + 12, UDP_GRO, true);
  view.setInt32(control + 16, size, true);
}
