import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Underlay } from '../datapath/ports.ts';
import { addressIn, sockaddr } from '../datapath/sockaddr.ts';
import type { OwnVtep } from '../datapath/state.ts';
import type { Vtep } from '../model/peer.ts';
import { LinkspanError } from '../service/errors.ts';
import { libc, LINUX, SystemCallError } from './libc.ts';
import type { MemoryCalls } from './memory-calls.ts';

/** Sockets to send from, each with a port of its own: as many ways through a router that spreads flows (ECMP, LAG). */
export const POOL_SIZE = 8;

/** asm-generic/socket.h, linux/in.h, linux/in6.h, linux/udp.h */
const OPTION = {
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_SNDBUFFORCE: 32,
  SO_RCVBUFFORCE: 33,
  IPPROTO_IP: 0,
  IP_MTU_DISCOVER: 10,
  IP_MULTICAST_IF: 32,
  IP_MULTICAST_LOOP: 34,
  IP_ADD_MEMBERSHIP: 35,
  IPPROTO_IPV6: 41,
  IPV6_MULTICAST_IF: 17,
  IPV6_MULTICAST_LOOP: 19,
  IPV6_ADD_MEMBERSHIP: 20,
  IPV6_MTU_DISCOVER: 23,
  IPV6_V6ONLY: 26,
  PMTUDISC_DO: 2,
  SOL_UDP: 17,
  UDP_GRO: 104,
} as const;

const RECEIVE_BUFFER = 8 << 20;
const SEND_BUFFER = 4 << 20;

/** The underlay's sockets, held by this process. */
export type OpenUnderlay = {
  readonly receive: number;
  readonly send: readonly number[];
  /** whether the kernel hands packets of one flow over together (UDP_GRO, Linux 5.0) */
  readonly gro: boolean;
};

/**
 * Opens the sockets of a VTEP.
 * @throws LinkspanError where the address is not this host's or the port is taken
 */
export function openUnderlay(vtep: Vtep): OpenUnderlay {
  const opened: number[] = [];
  try {
    const receive = openReceiver(vtep, opened);
    const gro = tryOption(receive, OPTION.SOL_UDP, OPTION.UDP_GRO, 1);
    option(receive, OPTION.SOL_SOCKET, OPTION.SO_RCVBUFFORCE, RECEIVE_BUFFER);
    const send = Array.from({ length: POOL_SIZE }, () => openSender(vtep.ip, opened));
    return { receive, send, gro };
  } catch (error) {
    for (const descriptor of opened) libc().close(descriptor);
    throw error instanceof SystemCallError ? unusable(vtep, error) : error;
  }
}

export function closeUnderlay(underlay: OpenUnderlay): void {
  for (const descriptor of [underlay.receive, ...underlay.send]) libc().close(descriptor);
}

/** The port over open sockets, for the thread that calls. `base` is the address of that thread's memory. */
export function underlayPort(sockets: OpenUnderlay, calls: MemoryCalls, base: number): Underlay {
  return {
    // Blocks while the socket's buffer is full: the queue before it is the TAP's, which tells its senders.
    send: (socket, messages, count) => calls.sendmmsg(sockets.send[socket] ?? -1, base + messages, count, 0),
    receive: (messages, count) => calls.recvmmsg(sockets.receive, base + messages, count, LINUX.MSG_DONTWAIT),
  };
}

/**
 * On every address, as the kernel's vxlan: a socket of one address gets nothing that is sent to a group. Reusable, so
 * that the socket of a VTEP that changes its address is there before the old one goes; the kernel's vxlan still refuses
 * to share, and so does a second datapath its TAPs.
 */
function openReceiver({ ip, port }: Vtep, opened: number[]): number {
  const six = isIPv6(ip);
  const descriptor = openSocket(six, opened);
  option(descriptor, OPTION.SOL_SOCKET, OPTION.SO_REUSEADDR, 1);
  libc().bind(descriptor, sockaddr({ ip: six ? '::' : '0.0.0.0', port }));
  return descriptor;
}

function openSender(ip: string, opened: number[]): number {
  const descriptor = openSocket(isIPv6(ip), opened);
  libc().bind(descriptor, sockaddr({ ip, port: 0 }));
  option(descriptor, OPTION.SOL_SOCKET, OPTION.SO_SNDBUFFORCE, SEND_BUFFER);
  // Never fragmented (RFC 7348 section 4.3): what is too big is an error here, and counted.
  if (isIPv6(ip)) option(descriptor, OPTION.IPPROTO_IPV6, OPTION.IPV6_MTU_DISCOVER, OPTION.PMTUDISC_DO);
  else option(descriptor, OPTION.IPPROTO_IP, OPTION.IP_MTU_DISCOVER, OPTION.PMTUDISC_DO);
  return descriptor;
}

function openSocket(six: boolean, opened: number[]): number {
  const family = six ? LINUX.AF_INET6 : LINUX.AF_INET;
  const descriptor = libc().socket(family, LINUX.SOCK_DGRAM | LINUX.SOCK_CLOEXEC, 0);
  opened.push(descriptor);
  if (six) option(descriptor, OPTION.IPPROTO_IPV6, OPTION.IPV6_V6ONLY, 1);
  return descriptor;
}

/**
 * Joins a multicast group on the VTEP's interface and sends to it from there, not to itself.
 * @throws SystemCallError
 */
export function joinGroup(underlay: OpenUnderlay, vtep: OwnVtep, group: string): void {
  if (isIPv6(group)) return joinGroup6(underlay, vtep, group);
  // struct ip_mreqn: without an index, the interface is the one that has the address now.
  const own = Buffer.concat([addressBytes(vtep.ip), indexBytes(vtep.ifindex ?? 0)]);
  const membership = Buffer.concat([addressBytes(group), own]);
  libc().setsockopt(underlay.receive, OPTION.IPPROTO_IP, OPTION.IP_ADD_MEMBERSHIP, membership);
  for (const descriptor of underlay.send) {
    libc().setsockopt(descriptor, OPTION.IPPROTO_IP, OPTION.IP_MULTICAST_IF, membership);
    option(descriptor, OPTION.IPPROTO_IP, OPTION.IP_MULTICAST_LOOP, 0);
  }
}

/** IPv6 names the interface by its index. */
function joinGroup6(underlay: OpenUnderlay, vtep: OwnVtep, group: string): void {
  const index = indexBytes(vtep.ifindex ?? interfaceOf(vtep.ip));
  const membership = Buffer.concat([addressBytes(group), index]);
  libc().setsockopt(underlay.receive, OPTION.IPPROTO_IPV6, OPTION.IPV6_ADD_MEMBERSHIP, membership);
  for (const descriptor of underlay.send) {
    libc().setsockopt(descriptor, OPTION.IPPROTO_IPV6, OPTION.IPV6_MULTICAST_IF, index);
    option(descriptor, OPTION.IPPROTO_IPV6, OPTION.IPV6_MULTICAST_LOOP, 0);
  }
}

/** The index of the interface that has the address; 0 leaves the choice to the kernel. */
function interfaceOf(ip: string): number {
  const holders = Object.entries(networkInterfaces()).find(([, held]) => held?.some(({ address }) => address === ip));
  return holders === undefined ? 0 : libc().ifNameToIndex(holders[0]);
}

function indexBytes(index: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(index);
  return bytes;
}

function addressBytes(ip: string): Uint8Array {
  const name = sockaddr({ ip, port: 0 });
  const { offset, length } = addressIn(name, 0);
  return name.subarray(offset, offset + length);
}

function option(descriptor: number, level: number, name: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  libc().setsockopt(descriptor, level, name, bytes);
}

function tryOption(descriptor: number, level: number, name: number, value: number): boolean {
  try {
    option(descriptor, level, name, value);
    return true;
  } catch (error) {
    if (error instanceof SystemCallError) return false;
    throw error;
  }
}

function unusable(vtep: Vtep, error: SystemCallError): LinkspanError {
  const remedy =
    error.code === 'EADDRINUSE'
      ? "another VTEP has the port: delete the kernel's vxlan devices on it, or set another underlay.port"
      : 'give an interface that address, or set underlay.address';
  const object = `${vtep.ip} port ${vtep.port}`;
  return new LinkspanError({ code: 'underlay_unusable', object, reason: error.message, remedy, cause: error });
}
