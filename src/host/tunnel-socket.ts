import { ETHERTYPE_TUNNEL, TUNNEL_LENGTH } from '../packet/tunnel-probe.ts';
import { ageOf, timeOf } from './frame-time.ts';
import { libc, LINUX, SystemCallError } from './libc.ts';
import { linkAddress, listenAddress } from './packet-socket.ts';

/** Frames in one turn at most: the service has other work. */
const TURN_MAX = 256;
const LISTENER = 'lo';

/** An answer, and how many milliseconds ago it came: nobody waits for it, it is looked for. */
export type Arrived = { readonly frame: Buffer; readonly age: number };

/** Sends tunnel probes out of overlay networks' ports, and receives those answers that their rules hand over. */
export type TunnelSocket = {
  /** Out of the interface with this index. Best effort, as everything on a wire. */
  send(frame: Buffer, index: number): void;
  /** What came in since the last call; never waits. */
  receive(): readonly Arrived[];
  close(): void;
};

/**
 * The rules of a port let tunnel probes out that come from sockets of the host's own namespace, as this one does.
 * @throws SystemCallError where the service may not open it
 */
export function openTunnelSocket(): TunnelSocket {
  const { AF_PACKET, SOCK_RAW, SOCK_CLOEXEC, SOCK_NONBLOCK } = LINUX;
  const socket = libc().socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  try {
    libc().bind(socket, listenAddress(libc().ifNameToIndex(LISTENER), ETHERTYPE_TUNNEL));
    // fails, as there was none yet, and has the kernel note when each comes from now on
    attempt(() => timeOf(socket));
  } catch (error) {
    libc().closeLater(socket);
    throw error;
  }
  const buffer = Buffer.alloc(TUNNEL_LENGTH + 1);
  return {
    send: (frame, index) => void attempt(() => libc().sendto(socket, frame, 0, linkAddress(index, frame))),
    receive: () => receive(socket, buffer),
    close: () => libc().closeLater(socket),
  };
}

/** A longer one comes cut, and is still too long for an answer. */
function receive(socket: number, buffer: Buffer): readonly Arrived[] {
  const frames: Arrived[] = [];
  while (frames.length < TURN_MAX) {
    const length = attempt(() => libc().recv(socket, buffer, 0));
    if (length === undefined) break;
    frames.push({ frame: Buffer.from(buffer.subarray(0, length)), age: attempt(() => ageOf(socket)) ?? 0 });
  }
  return frames;
}

/** A port may be gone or down, and `lo` too: silence says the same. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof SystemCallError) return undefined;
    throw error;
  }
}
