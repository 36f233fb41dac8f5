import { sockaddr } from '../datapath/sockaddr.ts';
import type { Vtep } from '../model/peer.ts';
import { libc, LINUX, SystemCallError } from './libc.ts';
import { within } from './namespace.ts';

export type Transport = 'udp' | 'tcp';

const ON = Buffer.of(1, 0, 0, 0);
const EINPROGRESS = 115;

/**
 * Makes an IPv4 socket inside the namespace at `path`, bound to an address and a port (0: the kernel picks one), for
 * Node to adopt. The address need not be there yet: a loopback that is still down has none.
 * @returns the descriptor; whoever has it closes it
 * @throws SystemCallError `EADDRINUSE`; `ENOENT` where the namespace is gone
 */
export function bindInside(path: string, transport: Transport, place: Vtep): number {
  const type = transport === 'udp' ? LINUX.SOCK_DGRAM : LINUX.SOCK_STREAM;
  return within(path, (calls) => {
    const socket = calls.socket(LINUX.AF_INET, type | LINUX.SOCK_CLOEXEC | LINUX.SOCK_NONBLOCK, 0);
    return closingOnFailure(socket, () => {
      calls.setsockopt(socket, LINUX.IPPROTO_IP, LINUX.IP_FREEBIND, ON);
      // Else a TCP port stays taken for a minute after connections to it ended.
      if (transport === 'tcp') calls.setsockopt(socket, LINUX.SOL_SOCKET, LINUX.SO_REUSEADDR, ON);
      calls.bind(socket, sockaddr(place));
    });
  });
}

/** Begins to connect a TCP socket of `bindInside`; Node cannot, on a descriptor. @throws SystemCallError */
export function startConnecting(socket: number, to: Vtep): number {
  return closingOnFailure(socket, () => {
    try {
      libc().connect(socket, sockaddr(to));
    } catch (error) {
      if (!(error instanceof SystemCallError) || error.errno !== EINPROGRESS) throw error;
    }
  });
}

function closingOnFailure(socket: number, prepare: () => void): number {
  try {
    prepare();
    return socket;
  } catch (error) {
    libc().close(socket);
    throw error;
  }
}
