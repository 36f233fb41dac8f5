// Frames as a workload sends them, layer by layer, with checksums worked out from the RFCs alone.
import { internetChecksum } from '../../../src/packet/checksum.ts';
import { ipToNumber } from '../../../src/model/ip.ts';

/** What IP carries: a header whose checksum is still zero, and what follows. */
type Layer = {
  readonly protocol: number;
  readonly header: Buffer;
  readonly payload: Buffer;
  /** in the header; undefined where there is none */
  readonly checksumAt: number | undefined;
};

type Packet = { readonly etherType: number; readonly bytes: Buffer; readonly transport: number; readonly layer: Layer };

/** A frame and where its parts lie in it. */
export type Frame = {
  readonly bytes: Buffer;
  readonly network: number;
  readonly transport: number;
  readonly payload: number;
  readonly checksumAt: number;
};

export const FLAG = { FIN: 1, SYN: 2, PSH: 8, ACK: 16, CWR: 0x80 } as const;
export const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 } as const;

/** The option that nearly every segment of Linux carries, behind two NOPs (RFC 7323 section 3.2). */
export const TIMESTAMPS = Buffer.from('0101080a0000000100000002', 'hex');

/** Bytes that differ everywhere, so that a wrong offset shows. */
export function bytesOf(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0, state = seed; at < length; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    bytes.writeUInt8((state >> 16) & 0xff, at);
  }
  return bytes;
}

const TCP = { source: 40_000, destination: 5201, sequence: 1000, ack: 77, flags: 0x10, window: 512, reserved: 0 };

export function tcp(payload: Buffer, over: Partial<typeof TCP> & { readonly options?: Buffer } = {}): Layer {
  const { options = Buffer.alloc(0), ...rest } = over;
  const { source, destination, sequence, ack, flags, window, reserved } = { ...TCP, ...rest };
  const header = Buffer.alloc(20 + options.length);
  header.writeUInt16BE(source, 0);
  header.writeUInt16BE(destination, 2);
  header.writeUInt32BE(sequence >>> 0, 4);
  header.writeUInt32BE(ack, 8);
  header.writeUInt8(((header.length / 4) << 4) | reserved, 12);
  header.writeUInt8(flags, 13);
  header.writeUInt16BE(window, 14);
  options.copy(header, 20);
  return { protocol: PROTOCOL.TCP, header, payload, checksumAt: 16 };
}

export function udp(
  payload: Buffer,
  over: {
    readonly source?: number;
    readonly destination?: number;
    readonly length?: number;
    readonly none?: true;
  } = {},
): Layer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(over.source ?? 40_001, 0);
  header.writeUInt16BE(over.destination ?? 5202, 2);
  header.writeUInt16BE(over.length ?? 8 + payload.length, 4);
  return { protocol: PROTOCOL.UDP, header, payload, checksumAt: over.none ? undefined : 6 };
}

export function icmp(payload: Buffer): Layer {
  const header = Buffer.from('0800000000010001', 'hex');
  header.writeUInt16BE(internetChecksum(header, payload), 2);
  return { protocol: PROTOCOL.ICMP, header, payload, checksumAt: undefined };
}

/** `flags`: the two bytes of flags and fragment offset. */
const IPV4 = { source: '10.0.0.1', destination: '10.0.0.2', tos: 0, id: 7, flags: 0x4000, ttl: 64 };

export function ip4(layer: Layer, over: Partial<typeof IPV4> & { readonly options?: Buffer } = {}): Packet {
  const { options = Buffer.alloc(0), ...rest } = over;
  const { source, destination, tos, id, flags, ttl } = { ...IPV4, ...rest };
  const header = Buffer.alloc(20 + options.length);
  header.writeUInt8(0x40 | (header.length / 4), 0);
  header.writeUInt8(tos, 1);
  header.writeUInt16BE(header.length + layer.header.length + layer.payload.length, 2);
  header.writeUInt16BE(id & 0xffff, 4);
  header.writeUInt16BE(flags, 6);
  header.writeUInt8(ttl, 8);
  header.writeUInt8(layer.protocol, 9);
  addressOf(source, 8).copy(header, 12);
  addressOf(destination, 8).copy(header, 16);
  options.copy(header, 20);
  header.writeUInt16BE(internetChecksum(header), 10);
  return packet(0x0800, header, layer);
}

const IPV6 = { source: 'fd00::1', destination: 'fd00::2', trafficClass: 0, hops: 64 };

/** `extension`: its own next header is filled in. */
export function ip6(
  layer: Layer,
  over: Partial<typeof IPV6> & { readonly extension?: { readonly kind: number; readonly bytes: Buffer } } = {},
): Packet {
  const { extension, ...rest } = over;
  const { source, destination, trafficClass, hops } = { ...IPV6, ...rest };
  const more = Buffer.from(extension?.bytes ?? []);
  if (extension !== undefined) more.writeUInt8(layer.protocol, 0);
  const header = Buffer.alloc(40);
  header.writeUInt32BE((0x6000_0000 | (trafficClass << 20)) >>> 0, 0);
  header.writeUInt16BE(more.length + layer.header.length + layer.payload.length, 4);
  header.writeUInt8(extension?.kind ?? layer.protocol, 6);
  header.writeUInt8(hops, 7);
  addressOf(source, 32).copy(header, 8);
  addressOf(destination, 32).copy(header, 24);
  return packet(0x86dd, Buffer.concat([header, more]), layer);
}

/** Joins both and fills in the transport's checksum (RFC 9293 section 3.1, RFC 768). */
function packet(etherType: number, ip: Buffer, layer: Layer): Packet {
  const bytes = Buffer.concat([ip, layer.header, layer.payload]);
  if (layer.checksumAt !== undefined) {
    const pseudo = pseudoHeader(ip, layer.protocol, bytes.length - ip.length);
    const value = internetChecksum(pseudo, bytes.subarray(ip.length));
    bytes.writeUInt16BE(value === 0 ? 0xffff : value, ip.length + layer.checksumAt);
  }
  return { etherType, bytes, transport: ip.length, layer };
}

/** RFC 9293 section 3.1, RFC 8200 section 8.1. `ip`: the packet, its header at least. */
export function pseudoHeader(ip: Buffer, protocol: number, length: number): Buffer {
  const four = ip.readUInt8(0) >> 4 === 4;
  const tail = Buffer.alloc(8);
  tail.writeUInt32BE(length, 0);
  tail.writeUInt8(protocol, 7);
  return Buffer.concat([four ? ip.subarray(12, 20) : ip.subarray(8, 40), tail]);
}

export const HERE = '020000000001';
export const THERE = '020000000002';

type EthernetOver = {
  readonly to?: string;
  readonly from?: string;
  readonly tags?: readonly string[];
  readonly padding?: number;
};

/** `tags`: four bytes each, in hex; `padding`: bytes behind the packet. */
export function ethernet(inner: Packet, over: EthernetOver = {}): Frame {
  const head = Buffer.from((over.to ?? THERE) + (over.from ?? HERE) + (over.tags ?? []).join(''), 'hex');
  const type = Buffer.alloc(2);
  type.writeUInt16BE(inner.etherType);
  const network = head.length + 2;
  const transport = network + inner.transport;
  return {
    bytes: Buffer.concat([head, type, inner.bytes, Buffer.alloc(over.padding ?? 0)]),
    network,
    transport,
    payload: transport + inner.layer.header.length,
    checksumAt: transport + (inner.layer.checksumAt ?? 0),
  };
}

/** A frame that is no IP. */
export function rawFrame(etherType: string, payload: Buffer, over: EthernetOver = {}): Buffer {
  const head = (over.to ?? THERE) + (over.from ?? HERE) + (over.tags ?? []).join('') + etherType;
  return Buffer.concat([Buffer.from(head, 'hex'), payload]);
}

function addressOf(ip: string, digits: number): Buffer {
  return Buffer.from(ipToNumber(ip).toString(16).padStart(digits, '0'), 'hex');
}

/** As a TAP gives a frame that is finished. */
export function plain(frame: Buffer): Buffer {
  return Buffer.concat([Buffer.alloc(10), frame]);
}

/** As Linux leaves a checksum to the device: the pseudo header's sum alone (linux/virtio_net.h). */
export function unfinished(frame: Frame): Buffer {
  const bytes = plain(frame.bytes);
  const ip = bytes.subarray(10 + frame.network);
  const protocol = frame.checksumAt - frame.transport === 16 ? PROTOCOL.TCP : PROTOCOL.UDP;
  const pseudo = pseudoHeader(ip, protocol, frame.bytes.length - frame.transport);
  bytes.writeUInt16BE(~internetChecksum(pseudo) & 0xffff, 10 + frame.checksumAt);
  bytes.writeUInt8(1, 0);
  bytes.writeUInt16LE(frame.transport, 6);
  bytes.writeUInt16LE(frame.checksumAt - frame.transport, 8);
  return bytes;
}

export const GSO = { TCPV4: 1, TCPV6: 4, UDP_L4: 5 } as const;

/** A super-frame, to be cut into `size` bytes of payload each. */
export function superFrame(frame: Frame, gso: number, size: number): Buffer {
  const bytes = unfinished(frame);
  bytes.writeUInt8(gso, 1);
  bytes.writeUInt16LE(frame.payload, 2);
  bytes.writeUInt16LE(size, 4);
  return bytes;
}
