import { addressText } from './address.ts';

const HEADER_LENGTH = 16;
const ATTRIBUTE_HEADER = 4;
const [ERROR, DONE] = [2, 3];
/** The kernel's tables changed while it dumped them: what was read may never have been true as a whole. */
const DUMP_INTERRUPTED = 0x10;
/** NLA_F_NESTED and NLA_F_NET_BYTEORDER stand in the type's upper bits */
const TYPE_MASK = 0x3f_ff;
const MAX_ERRNO = 4095;

/** One message (struct nlmsghdr) without its header; `payload` begins with the family's own. */
export type NetlinkMessage = { readonly type: number; readonly interrupted: boolean; readonly payload: Buffer };

/** Attributes by type; of one that comes twice the last counts. */
export type Attributes = ReadonlyMap<number, Buffer>;

/** The messages of one receive. What is cut short ends the list. */
export function readMessages(bytes: Buffer): readonly NetlinkMessage[] {
  const found: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER_LENGTH <= bytes.length;) {
    const length = bytes.readUInt32LE(at);
    if (length < HEADER_LENGTH || at + length > bytes.length) break;
    const interrupted = (bytes.readUInt16LE(at + 6) & DUMP_INTERRUPTED) !== 0;
    const payload = bytes.subarray(at + HEADER_LENGTH, at + length);
    found.push({ type: bytes.readUInt16LE(at + 4), interrupted, payload });
    at += align(length);
  }
  return found;
}

/** What ends an answer: the error number of an acknowledgement (0: done) or of a dump's end; undefined of any other. */
export function endOf({ type, payload }: NetlinkMessage): number | undefined {
  if (type !== ERROR && type !== DONE) return undefined;
  return payload.length < 4 ? 0 : Math.min(Math.abs(payload.readInt32LE(0)), MAX_ERRNO);
}

/** What the kernel's answers say of the messages sent: an errno each, 0 for one that was done. */
export function readAcknowledgements(answers: Buffer): readonly number[] {
  return readMessages(answers).flatMap((answer) => (answer.type === ERROR ? (endOf(answer) ?? []) : []));
}

/** The attributes behind a fixed header of `offset` bytes, or those nested in another. */
export function readAttributes(bytes: Buffer, offset = 0): Attributes {
  const found = new Map<number, Buffer>();
  for (let at = offset; at + ATTRIBUTE_HEADER <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & TYPE_MASK, bytes.subarray(at + ATTRIBUTE_HEADER, at + length));
    at += align(length);
  }
  return found;
}

/** Those of a list, whose types all are the same. */
export function readList(bytes: Buffer): readonly Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + ATTRIBUTE_HEADER <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < ATTRIBUTE_HEADER || at + length > bytes.length) break;
    found.push(bytes.subarray(at + ATTRIBUTE_HEADER, at + length));
    at += align(length);
  }
  return found;
}

const NONE = Buffer.alloc(0);

/** Those nested in an attribute; none where it is missing. */
export function nestedIn(attributes: Attributes, type: number): Attributes {
  return readAttributes(attributes.get(type) ?? NONE);
}

/** A number of 8, 16 or 32 bits in the machine's order; undefined where it is missing. */
export function numberIn(attributes: Attributes, type: number): number | undefined {
  const bytes = attributes.get(type);
  return bytes === undefined || bytes.length === 0 ? undefined : bytes.readUIntLE(0, Math.min(bytes.length, 4));
}

/** A number of 16 bits in network order, as ports and EtherTypes are; undefined where it is missing. */
export function bigEndianIn(attributes: Attributes, type: number): number | undefined {
  const bytes = attributes.get(type);
  return bytes?.length === 2 ? bytes.readUInt16BE() : undefined;
}

/** An IPv4 or IPv6 address; undefined where it is missing. */
export function addressIn(attributes: Attributes, type: number): string | undefined {
  const bytes = attributes.get(type);
  return bytes?.length === 4 || bytes?.length === 16 ? addressText(bytes) : undefined;
}

/** Text up to its closing zero; undefined where it is missing. */
export function textIn(attributes: Attributes, type: number): string | undefined {
  const bytes = attributes.get(type);
  const end = bytes?.indexOf(0) ?? -1;
  return bytes?.toString('utf8', 0, end === -1 ? bytes.length : end);
}

function align(length: number): number {
  return Math.ceil(length / 4) * 4;
}
