import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { LinkspanError, messageOf } from '../service/errors.ts';

/** The package raw-socket, as far as it is used; it brings no types. */
type RawSocket = EventEmitter & {
  send(packet: Buffer, offset: number, length: number, to: string, done: (error: Error | null) => void): void;
  setOption(level: number, option: number, value: number): void;
  setOption(level: number, option: number, value: Buffer, length: number): void;
  close(): void;
};
type Options = { readonly addressFamily: 1 | 2; readonly protocol: number; readonly bufferSize: number };
type RawSockets = { readonly createSocket: (options: Options) => RawSocket };

/** raw(7), icmp(7), linux/in.h, linux/in6.h, linux/icmpv6.h */
const [IP, IP_HDRINCL, IP_MTU_DISCOVER, SOL_RAW, ICMP_FILTER] = [0, 3, 10, 255, 1];
const [IPV6, IPV6_HDRINCL, IPV6_MTU_DISCOVER, SOL_ICMPV6, ICMPV6_FILTER] = [41, 36, 23, 58, 1];
/** Otherwise the kernel itself refuses what a router refused up to ten minutes ago. */
const PMTUDISC_PROBE = 3;
const FAMILIES = { 4: { addressFamily: 1, protocol: 1 }, 6: { addressFamily: 2, protocol: 58 } } as const;
/** Answers, and errors that quote what they are about: of a long one the beginning is enough. */
const BUFFER = 1536;

export type EchoSocket = {
  /** A whole IP packet. What cannot be sent is lost, as on the wire. */
  send(packet: Buffer, to: string): void;
  close(): void;
};

/**
 * Sends whole ICMP packets and hears echo replies and "too big" errors, of IPv4 with their IP header. `onClose` is told
 * when it is of no use any more, other than by `close`.
 * @throws LinkspanError where it may not be opened, or the package raw-socket was not built
 */
export function openEchoSocket(
  family: 4 | 6,
  onMessage: (message: Buffer, from: string) => void,
  onClose: () => void,
): EchoSocket {
  const socket = open(family);
  socket.on('message', onMessage);
  // Of a network that is gone: the probes' silence says the same.
  socket.on('error', () => undefined);
  socket.on('close', onClose);
  return {
    send: (packet, to) => socket.send(packet, 0, packet.length, to, () => undefined),
    close: () => {
      socket.off('close', onClose);
      socket.close();
    },
  };
}

function open(family: 4 | 6): RawSocket {
  try {
    const { createSocket } = createRequire(import.meta.url)('raw-socket') as RawSockets;
    const socket = createSocket({ ...FAMILIES[family], bufferSize: BUFFER });
    if (family === 4) prepare4(socket);
    else prepare6(socket);
    return socket;
  } catch (error) {
    throw new LinkspanError({
      code: 'probes_unavailable',
      object: 'peers',
      reason: `no raw ICMP socket: ${messageOf(error)}`,
      remedy: 'run the service with CAP_NET_RAW, from a package or checkout in which raw-socket was built',
    });
  }
}

/** Of all ICMP that comes to the host: echo reply (0) and destination unreachable (3). */
function prepare4(socket: RawSocket): void {
  socket.setOption(IP, IP_HDRINCL, 1);
  socket.setOption(IP, IP_MTU_DISCOVER, PMTUDISC_PROBE);
  const blocked = Buffer.alloc(4);
  blocked.writeUInt32LE(~((1 << 0) | (1 << 3)) >>> 0, 0);
  socket.setOption(SOL_RAW, ICMP_FILTER, blocked, blocked.length);
}

/** Packet too big (2) and echo reply (129). */
function prepare6(socket: RawSocket): void {
  socket.setOption(IPV6, IPV6_HDRINCL, 1);
  socket.setOption(IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE);
  const blocked = Buffer.alloc(32, 0xff);
  for (const type of [2, 129]) {
    const at = (type >> 5) * 4;
    blocked.writeUInt32LE((blocked.readUInt32LE(at) & ~(1 << (type & 31))) >>> 0, at);
  }
  socket.setOption(SOL_ICMPV6, ICMPV6_FILTER, blocked, blocked.length);
}
