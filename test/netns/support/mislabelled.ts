import { libc, LINUX } from '../../../src/host/libc.ts';
import { within } from '../../../src/host/namespace.ts';
import { linkAddress } from '../../../src/host/packet-socket.ts';
import type { Namespace } from '../../lab/namespace.ts';

/** Sends whole frames of which the kernel is told that their EtherType is `etherType`, whatever stands in them (packet(7)). */
export function sendAs(etherType: number, from: Namespace, device: string, frames: readonly Buffer[]): void {
  const { socket, index } = within(from.path, (calls) => ({
    socket: calls.socket(LINUX.AF_PACKET, LINUX.SOCK_RAW | LINUX.SOCK_CLOEXEC, 0),
    index: calls.ifNameToIndex(device),
  }));
  for (const frame of frames) {
    const address = linkAddress(index, frame);
    address.writeUInt16BE(etherType, 2);
    try {
      libc().sendto(socket, frame, 0, address);
    } catch {
      // What a guard drops on its way out is an error.
    }
  }
  libc().close(socket);
}
