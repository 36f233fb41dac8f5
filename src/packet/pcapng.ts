// The pcapng file format (draft-ietf-opsawg-pcapng), as far as one interface's frames need it.

const SECTION = 0x0a0d_0d0a;
const INTERFACE = 1;
const PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
const LINKTYPE_ETHERNET = 1;
const OPTION = { end: 0, name: 2, packetFlags: 2, resolution: 9 } as const;
/** 10^-9: timestamps are nanoseconds */
const NANOSECONDS = 9;

/** What a file begins with: a section, and the interface that the frames are from. */
export function pcapngHeader(interfaceName: string, snapLength: number): Buffer {
  const section = Buffer.alloc(16);
  section.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
  section.writeUInt16LE(1, 4);
  // The section's length is not known: -1.
  section.writeBigInt64LE(-1n, 8);
  const link = Buffer.alloc(8);
  link.writeUInt16LE(LINKTYPE_ETHERNET, 0);
  link.writeUInt32LE(snapLength, 4);
  const options = [
    option(OPTION.name, Buffer.from(interfaceName)),
    option(OPTION.resolution, Buffer.from([NANOSECONDS])),
  ];
  return Buffer.concat([block(SECTION, [section]), block(INTERFACE, [link, ...options, option(OPTION.end)])]);
}

export type CapturedFrame = {
  /** nanoseconds since 1970 */
  readonly time: bigint;
  readonly outgoing: boolean;
  readonly bytes: Uint8Array;
  /** its length on the wire, which may be more than was kept */
  readonly length: number;
};

/** One frame's block. */
export function pcapngFrame(frame: CapturedFrame): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt32LE(Number(frame.time >> 32n), 4);
  head.writeUInt32LE(Number(frame.time & 0xffff_ffffn), 8);
  head.writeUInt32LE(frame.bytes.length, 12);
  head.writeUInt32LE(frame.length, 16);
  const flags = Buffer.alloc(4);
  flags.writeUInt32LE(frame.outgoing ? 2 : 1);
  return block(PACKET, [head, padded(frame.bytes), option(OPTION.packetFlags, flags), option(OPTION.end)]);
}

function block(type: number, parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const frame = Buffer.alloc(8);
  frame.writeUInt32LE(type, 0);
  frame.writeUInt32LE(body.length + 12, 4);
  return Buffer.concat([frame, body, frame.subarray(4)]);
}

function option(code: number, value: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, padded(value)]);
}

/** To a multiple of four bytes. */
function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
