/** Numbers of linux/netlink.h and linux/netfilter/nfnetlink.h. */
export const NETLINK = { REQUEST: 0x1, ACK: 0x4, EXCLUSIVE: 0x200, DUMP: 0x300, CREATE: 0x400, APPEND: 0x800 } as const;

const AF_NETLINK = 16;
const HEADER_LENGTH = 16;
const NESTED = 0x8000;

/**
 * One attribute (struct nlattr), padded to 4 bytes. Netlink's own headers are in the machine's byte order; x86-64 and
 * arm64 are both little-endian.
 */
export function attribute(type: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(Math.ceil((4 + payload.length) / 4) * 4);
  bytes.writeUInt16LE(4 + payload.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(payload, 4);
  return bytes;
}

/** An attribute that holds attributes. */
export function nested(type: number, ...inner: readonly Uint8Array[]): Buffer {
  return attribute(type | NESTED, Buffer.concat(inner));
}

/** An attribute that is text, closed by a zero. */
export function text(type: number, value: string): Buffer {
  return attribute(type, Buffer.from(`${value}\0`));
}

/** An attribute that is a number of 16 bits in the machine's order. */
export function u16(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return attribute(type, bytes);
}

/** An attribute that is a number of 32 bits in the machine's order, as most of rtnetlink's are. */
export function u32(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return attribute(type, bytes);
}

/** An attribute that is a number of 32 bits in network order, as all of netfilter's are. */
export function number(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return attribute(type, bytes);
}

/** One message (struct nlmsghdr); `payload` begins with the family's own header. */
export function message(type: number, flags: number, sequence: number, ...payload: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(payload);
  const header = Buffer.alloc(HEADER_LENGTH);
  header.writeUInt32LE(HEADER_LENGTH + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(NETLINK.REQUEST | flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, body]);
}

/** Whether a message asks for a dump: the kernel's answer then comes in parts. */
export function isDump(request: Buffer): boolean {
  return (request.readUInt16LE(6) & NETLINK.DUMP) === NETLINK.DUMP;
}

/** A sockaddr_nl (netlink(7)): the kernel's, or to bind to, as a listener of these groups. */
export function netlinkAddress(groups = 0): Buffer {
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK, 0);
  address.writeUInt32LE(groups, 8);
  return address;
}
