import { LinkspanError } from '../service/errors.ts';
import type { CapturedFrame } from '../packet/pcapng.ts';
import { timeOf } from './frame-time.ts';
import { libc, LINUX, SystemCallError } from './libc.ts';

const ETH_P_ALL = 0x0003;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const RECEIVE_BUFFER = 16 << 20;
const PACKET_OUTGOING = 4;
const FRAME_MAX = 65_536 + 64;
/** A capture is looked at by a person: a fiftieth of a second late is at once. */
const POLL_MS = 20;
/** Frames in one turn at most: the service has other work. */
const TURN_MAX = 512;

/**
 * Hands over each frame that passes an interface of the own namespace, either way, until closed. The kernel copies
 * them only while this is open.
 * @throws LinkspanError where there is no such interface
 */
export function captureFrames(interfaceName: string, onFrame: (frame: CapturedFrame) => void): { close(): void } {
  const index = libc().ifNameToIndex(interfaceName);
  if (index === 0) {
    const remedy = 'look at `linkspan network ls` for what it waits for';
    throw new LinkspanError({ code: 'no_interface', object: interfaceName, reason: 'there is none', remedy });
  }
  const socket = openSocket(index);
  const buffer = Buffer.alloc(FRAME_MAX);
  const timer = setInterval(() => drain(socket, buffer, onFrame), POLL_MS);
  return {
    close: () => {
      clearInterval(timer);
      libc().closeLater(socket);
    },
  };
}

function openSocket(index: number): number {
  const { AF_PACKET, SOCK_RAW, SOCK_CLOEXEC, SOCK_NONBLOCK } = LINUX;
  // Protocol 0 at first, so that nothing of other interfaces comes in before the bind.
  const socket = libc().socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const size = Buffer.alloc(4);
  size.writeInt32LE(RECEIVE_BUFFER);
  libc().setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, size);
  const address = Buffer.alloc(20);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16BE(ETH_P_ALL, 2);
  address.writeInt32LE(index, 4);
  libc().bind(socket, address);
  return socket;
}

function drain(socket: number, buffer: Buffer, onFrame: (frame: CapturedFrame) => void): void {
  const address = Buffer.alloc(20);
  for (let count = 0; count < TURN_MAX; count += 1) {
    const received = receive(socket, buffer, address);
    if (received === undefined) return;
    const bytes = Uint8Array.from(buffer.subarray(0, received.length));
    onFrame({ time: timeOf(socket), outgoing: address.readUInt8(10) === PACKET_OUTGOING, bytes, length: bytes.length });
  }
}

/** An interface that goes down says so once, as an error; frames may come again later. */
function receive(socket: number, buffer: Buffer, address: Buffer): { readonly length: number } | undefined {
  try {
    return libc().recvfrom(socket, buffer, 0, address);
  } catch (error) {
    if (error instanceof SystemCallError) return undefined;
    throw error;
  }
}
