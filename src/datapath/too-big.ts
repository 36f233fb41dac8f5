import { internetChecksum } from '../packet/checksum.ts';
import { ETHERNET_HEADER, isGroup } from './frame.ts';

const [IPV4, IPV6] = [0x0800, 0x86dd];
const [ICMP, ICMPV6, HEADER4, HEADER6, ICMP_HEADER] = [1, 58, 20, 40, 8];
const [DONT_FRAGMENT, OFFSET] = [0x4000, 0x1fff];
const HOPS = 64;
/** What every host takes whole (RFC 1812 section 4.3.2.3), and every link (RFC 8200 section 5). */
const [WHOLE4, WHOLE6] = [576, 1280];
/** ICMP messages that ask or answer, and no errors, which are never answered by errors (RFC 1122 section 3.2.2). */
const QUERIES = new Set([0, 8, 13, 14]);

/**
 * The answer to a frame whose IP packet is larger than `mtu` and must not be cut up on the way: "fragmentation needed"
 * (RFC 1191) or "packet too big" (RFC 8201), as a whole Ethernet frame. It comes in the name of the packet's target, as
 * from the kernel's own tunnels: no gateway between has an address. Undefined for a frame to which there is none.
 */
export function answerTooBig(frame: Buffer, mtu: number): Buffer | undefined {
  if (frame.length < ETHERNET_HEADER || isGroup(frame, 0)) return undefined;
  const type = frame.readUInt16BE(12);
  const packet = frame.subarray(ETHERNET_HEADER);
  const answer = type === IPV4 ? answer4(packet, mtu) : type === IPV6 ? answer6(packet, mtu) : undefined;
  return answer && Buffer.concat([frame.subarray(6, 12), frame.subarray(0, 6), frame.subarray(12, 14), answer]);
}

function answer4(packet: Buffer, mtu: number): Buffer | undefined {
  const length = packet.length < HEADER4 ? 0 : (packet.readUInt8(0) & 0x0f) * 4;
  if (length < HEADER4 || packet.length < length + ICMP_HEADER) return undefined;
  const fragment = packet.readUInt16BE(6);
  if ((fragment & DONT_FRAGMENT) === 0 || (fragment & OFFSET) !== 0) return undefined;
  if (packet.readUInt8(9) === ICMP && !QUERIES.has(packet.readUInt8(length))) return undefined;
  const [source, target] = [packet.subarray(12, 16), packet.subarray(16, 20)];
  if (!isHost4(source) || !isHost4(target)) return undefined;
  const message = icmp(3, 4, packet.subarray(0, WHOLE4 - HEADER4 - ICMP_HEADER), mtu);
  message.writeUInt16BE(internetChecksum(message), 2);
  const header = Buffer.alloc(HEADER4);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(HEADER4 + message.length, 2);
  header.writeUInt8(HOPS, 8);
  header.writeUInt8(ICMP, 9);
  header.set(target, 12);
  header.set(source, 16);
  header.writeUInt16BE(internetChecksum(header), 10);
  return Buffer.concat([header, message]);
}

function answer6(packet: Buffer, mtu: number): Buffer | undefined {
  if (packet.length < HEADER6 + ICMP_HEADER) return undefined;
  if (packet.readUInt8(6) === ICMPV6 && packet.readUInt8(HEADER6) < 128) return undefined;
  const [source, target] = [packet.subarray(8, 24), packet.subarray(24, 40)];
  if (!isHost6(source) || !isHost6(target)) return undefined;
  const message = icmp(2, 0, packet.subarray(0, WHOLE6 - HEADER6 - ICMP_HEADER), mtu);
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(message.length, 0);
  tail.writeUInt32BE(ICMPV6, 4);
  message.writeUInt16BE(internetChecksum(target, source, tail, message), 2);
  const header = Buffer.alloc(8);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(message.length, 4);
  header.writeUInt8(ICMPV6, 6);
  header.writeUInt8(HOPS, 7);
  return Buffer.concat([header, target, source, message]);
}

/** IPv4 has the MTU in the lower half of the same four bytes (RFC 1191 section 4). */
function icmp(type: number, code: number, quoted: Buffer, mtu: number): Buffer {
  const header = Buffer.alloc(ICMP_HEADER);
  header.writeUInt8(type, 0);
  header.writeUInt8(code, 1);
  header.writeUInt32BE(mtu, 4);
  return Buffer.concat([header, quoted]);
}

function isHost4(address: Buffer): boolean {
  const first = address.readUInt8(0);
  return first > 0 && first < 224 && first !== 127;
}

function isHost6(address: Buffer): boolean {
  return address.readUInt8(0) !== 0xff && address.some((byte) => byte !== 0);
}
