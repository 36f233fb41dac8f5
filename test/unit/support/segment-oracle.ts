// What a TAP's frame is in VXLAN, worked out slowly and from the RFCs: each packet is built whole and its checksums are
// computed anew, never patched.
import { internetChecksum } from '../../../src/packet/checksum.ts';
import { FLAG, PROTOCOL, pseudoHeader } from './frames.ts';

const GSO_NONE = 0;
const UDP_L4 = 5;

/** The frames that a frame with its virtio header stands for, finished and cut. */
export function framesIn(tapFrame: Buffer): Buffer[] {
  const frame = Buffer.from(tapFrame.subarray(10));
  const start = tapFrame.readUInt16LE(6);
  const field = start + tapFrame.readUInt16LE(8);
  const gso = tapFrame.readUInt8(1) & 0x7f;
  if (gso !== GSO_NONE) return cut(frame, start, gso === UDP_L4, tapFrame.readUInt16LE(4));
  if ((tapFrame.readUInt8(0) & 1) !== 0) {
    // The field holds the pseudo header's sum and takes part in the whole.
    const value = internetChecksum(frame.subarray(start));
    frame.writeUInt16BE(value === 0 ? 0xffff : value, field);
  }
  return [frame];
}

function cut(frame: Buffer, transport: number, isUdp: boolean, size: number): Buffer[] {
  const network = networkOf(frame);
  const payload = transport + (isUdp ? 8 : (frame.readUInt8(transport + 12) >> 4) * 4);
  const count = Math.ceil((frame.length - payload) / size);
  return Array.from({ length: count }, (_, index) => {
    const part = frame.subarray(payload + index * size, payload + (index + 1) * size);
    const segment = Buffer.concat([frame.subarray(0, payload), part]);
    if (isUdp) segment.writeUInt16BE(segment.length - transport, transport + 4);
    else writeTcp(segment.subarray(transport), index, size, index === count - 1);
    writeNetwork(segment.subarray(network), transport - network, index);
    writeChecksum(segment, network, transport, isUdp);
    return segment;
  });
}

function networkOf(frame: Buffer): number {
  let at = 12;
  while ([0x8100, 0x88a8].includes(frame.readUInt16BE(at))) at += 4;
  return at + 2;
}

/** FIN and PSH end the data and belong to the last segment; CWR to the first (RFC 3168 section 6.1.2). */
function writeTcp(segment: Buffer, index: number, size: number, isLast: boolean): void {
  segment.writeUInt32BE((segment.readUInt32BE(4) + index * size) >>> 0, 4);
  let flags = segment.readUInt8(13);
  if (!isLast) flags &= ~(FLAG.FIN | FLAG.PSH);
  if (index > 0) flags &= ~FLAG.CWR;
  segment.writeUInt8(flags, 13);
}

function writeNetwork(packet: Buffer, headerLength: number, index: number): void {
  if (packet.readUInt8(0) >> 4 === 6) {
    packet.writeUInt16BE(packet.length - 40, 4);
    return;
  }
  packet.writeUInt16BE(packet.length, 2);
  packet.writeUInt16BE((packet.readUInt16BE(4) + index) & 0xffff, 4);
  packet.writeUInt16BE(0, 10);
  packet.writeUInt16BE(internetChecksum(packet.subarray(0, headerLength)), 10);
}

function writeChecksum(segment: Buffer, network: number, transport: number, isUdp: boolean): void {
  const field = transport + (isUdp ? 6 : 16);
  segment.writeUInt16BE(0, field);
  const protocol = isUdp ? PROTOCOL.UDP : PROTOCOL.TCP;
  const pseudo = pseudoHeader(segment.subarray(network), protocol, segment.length - transport);
  const value = internetChecksum(pseudo, segment.subarray(transport));
  segment.writeUInt16BE(value === 0 ? 0xffff : value, field);
}

/** RFC 7348 section 5: the I flag alone, and the VNI. */
export function vxlan(frame: Buffer, vni: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(0x08, 0);
  header.writeUIntBE(vni, 4, 3);
  return Buffer.concat([header, frame]);
}
