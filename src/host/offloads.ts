import { libc, LINUX, SystemCallError } from './libc.ts';

const SIOCETHTOOL = 0x8946;
/** linux/ethtool.h */
const ETHTOOL = { GRXCSUM: 0x14, GGRO: 0x2b, SGRO: 0x2c } as const;
const IFREQ_SIZE = 40;
const IFNAME_SIZE = 16;

/**
 * Whether an interface of the own namespace joins the packets of a flow as they come in (generic receive offload);
 * `undefined` where it is gone.
 */
export function readGro(name: string): boolean | undefined {
  return ethtoolValue(name, ETHTOOL.GGRO);
}

/** Whether an interface checks received packets' checksums itself; `undefined` where it is gone. */
export function readReceiveChecksum(name: string): boolean | undefined {
  return ethtoolValue(name, ETHTOOL.GRXCSUM);
}

/** @throws SystemCallError where the interface is gone */
export function setGro(name: string, on: boolean): void {
  ethtool(name, ETHTOOL.SGRO, on ? 1 : 0);
}

function ethtoolValue(name: string, command: number): boolean | undefined {
  try {
    return ethtool(name, command, 0) === 1;
  } catch (error) {
    if (error instanceof SystemCallError) return undefined;
    throw error;
  }
}

/** One command with a struct ethtool_value; returns the value after it. */
function ethtool(name: string, command: number, value: number): number {
  const calls = libc();
  const argument = Buffer.alloc(8);
  argument.writeUInt32LE(command, 0);
  argument.writeUInt32LE(value, 4);
  const request = Buffer.alloc(IFREQ_SIZE);
  request.write(name, 0, IFNAME_SIZE - 1, 'latin1');
  request.writeBigUInt64LE(calls.addressOf(argument), IFNAME_SIZE);
  const socket = calls.socket(LINUX.AF_INET, LINUX.SOCK_DGRAM | LINUX.SOCK_CLOEXEC, 0);
  try {
    calls.ioctl(socket, SIOCETHTOOL, request);
    return argument.readUInt32LE(4);
  } finally {
    calls.close(socket);
  }
}
