import { libc, LINUX } from './libc.ts';
import { within } from './namespace.ts';

const ETHERNET_ADDRESS_LENGTH = 6;

/**
 * Sends whole Ethernet frames out of an interface of another network namespace. Best effort: an interface that is gone,
 * down or without carrier loses them.
 */
export function sendFrames(namespace: string, interfaceName: string, frames: readonly Buffer[]): void {
  try {
    const { socket, index } = within(namespace, (calls) => ({
      socket: calls.socket(LINUX.AF_PACKET, LINUX.SOCK_RAW | LINUX.SOCK_CLOEXEC | LINUX.SOCK_NONBLOCK, 0),
      index: calls.ifNameToIndex(interfaceName),
    }));
    try {
      for (const frame of frames) libc().sendto(socket, frame, 0, linkAddress(index, frame));
    } finally {
      libc().closeLater(socket);
    }
  } catch {
    // Nobody waits for an announcement, and the next one follows in a second.
  }
}

/** A sockaddr_ll (packet(7)): the frame's own destination address on the interface with this index. */
export function linkAddress(index: number, frame: Buffer): Buffer {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(LINUX.AF_PACKET, 0);
  frame.copy(address, 2, 12, 14);
  address.writeInt32LE(index, 4);
  address.writeUInt8(ETHERNET_ADDRESS_LENGTH, 11);
  frame.copy(address, 12, 0, ETHERNET_ADDRESS_LENGTH);
  return address;
}

/** A sockaddr_ll to bind to: frames of one kind that come in by one interface. @param protocol EtherType, or ETH_P_ALL */
export function listenAddress(index: number, protocol: number): Buffer {
  const address = Buffer.alloc(20);
  address.writeUInt16LE(LINUX.AF_PACKET, 0);
  address.writeUInt16BE(protocol, 2);
  address.writeInt32LE(index, 4);
  return address;
}
