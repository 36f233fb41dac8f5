import { ETHERTYPE_ARP, ETHERTYPE_IPV6 } from '../packet/ethernet.ts';
import { ETHERTYPE_LOCAL } from '../packet/loop-probe.ts';
import { libc, LINUX, SystemCallError } from './libc.ts';
import { within } from './namespace.ts';
import { linkAddress, listenAddress } from './packet-socket.ts';

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const ETH_P_ALL = 0x0003;
/** No message of ARP or neighbour discovery that is believed is longer. */
const FRAME_MAX = 2048;
/** Frames in one turn at most: the service has other work, whatever is sent to a workload. */
const TURN_MAX = 64;

/** A line of a classic BPF program (linux/filter.h): code, jump if true, jump if false, operand. */
type Line = readonly [code: number, jt: number, jf: number, k: number];

const LOAD_BYTE = 0x30;
const LOAD_HALF = 0x28;
const JUMP_EQUAL = 0x15;
const RETURN = 0x06;

/** Of all frames, those of one EtherType: a bridge takes a port's frames before who asks for a type alone. */
const PROBES: readonly Line[] = [
  [LOAD_HALF, 0, 0, 12],
  [JUMP_EQUAL, 0, 1, ETHERTYPE_LOCAL],
  [RETURN, 0, 0, FRAME_MAX],
  [RETURN, 0, 0, 0],
];

/** Of IPv6, ICMPv6's neighbour advertisements alone: a busy workload's packets stay in the kernel. */
const ADVERTISEMENTS: readonly Line[] = [
  [LOAD_BYTE, 0, 0, 20],
  [JUMP_EQUAL, 0, 3, 58],
  [LOAD_BYTE, 0, 0, 54],
  [JUMP_EQUAL, 0, 1, 136],
  [RETURN, 0, 0, FRAME_MAX],
  [RETURN, 0, 0, 0],
];

/** What an interface receives of ARP (`arp`), of neighbour advertisements (`neighbour`), or of loop probes (`probe`). */
export type PacketListener = {
  /** best effort, as everything on a wire */
  send(frame: Buffer): void;
  /**
   * Whole frames that came in since the last call, at most 64; never waits.
   * @throws SystemCallError where the interface is down or gone
   */
  receive(): readonly Buffer[];
  close(): void;
};

const WANTED = {
  arp: { protocol: ETHERTYPE_ARP, filter: undefined },
  neighbour: { protocol: ETHERTYPE_IPV6, filter: ADVERTISEMENTS },
  probe: { protocol: ETH_P_ALL, filter: PROBES },
} as const;

/**
 * @param namespace its path; undefined for the own one
 * @param index the interface's, in that namespace
 * @throws SystemCallError where the namespace or the interface is gone
 */
export function listenPackets(namespace: string | undefined, index: number, kind: keyof typeof WANTED): PacketListener {
  const { AF_PACKET, SOCK_RAW, SOCK_CLOEXEC, SOCK_NONBLOCK } = LINUX;
  // Protocol 0 at first, so that nothing comes in before the filter and the bind.
  const type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const open = (): number => libc().socket(AF_PACKET, type, 0);
  const socket = namespace === undefined ? open() : within(namespace, open);
  const { protocol, filter } = WANTED[kind];
  try {
    if (filter !== undefined) attachFilter(socket, filter);
    libc().bind(socket, listenAddress(index, protocol));
  } catch (error) {
    libc().closeLater(socket);
    throw error;
  }
  const buffer = Buffer.alloc(FRAME_MAX);
  return {
    send: (frame) => send(socket, index, frame),
    receive: () => receive(socket, buffer),
    close: () => libc().closeLater(socket),
  };
}

function send(socket: number, index: number, frame: Buffer): void {
  try {
    libc().sendto(socket, frame, 0, linkAddress(index, frame));
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
  }
}

function receive(socket: number, buffer: Buffer): readonly Buffer[] {
  const frames: Buffer[] = [];
  while (frames.length < TURN_MAX) {
    const length = libc().recv(socket, buffer, 0);
    if (length === undefined) break;
    frames.push(Buffer.from(buffer.subarray(0, length)));
  }
  return frames;
}

/** Copied by the kernel, so the program may go once this returns. */
function attachFilter(socket: number, program: readonly Line[]): void {
  const code = Buffer.alloc(program.length * 8);
  for (const [at, [op, jt, jf, k]] of program.entries()) {
    code.writeUInt16LE(op, at * 8);
    code.writeUInt8(jt, at * 8 + 2);
    code.writeUInt8(jf, at * 8 + 3);
    code.writeUInt32LE(k, at * 8 + 4);
  }
  const pointer = Buffer.alloc(16);
  pointer.writeUInt16LE(program.length, 0);
  pointer.writeBigUInt64LE(libc().addressOf(code), 8);
  libc().setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, pointer);
}
