import {
  decode,
  encode,
  type OptAnswer,
  type Packet,
  type Question,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
} from 'dns-packet';
import { familyOf } from '../model/ip.ts';
import type { Found } from './table.ts';

/** A question that was asked well. */
export type Query = {
  /** the whole message */
  readonly bytes: Buffer;
  readonly question: Question;
  /** the longest answer that its asker takes */
  readonly size: number;
  /** whether it speaks EDNS, and so expects that of the answer (RFC 6891 section 6.1.1) */
  readonly edns: boolean;
};

/** A message that came in: a query, or one that only gets `reply`. */
export type Received = { readonly query: Query } | { readonly reply: Buffer };

export type Failure = 'FORMERR' | 'SERVFAIL' | 'NOTIMP';

export const HEADER_LENGTH = 12;
export const MESSAGE_MAX = 65_535;

/** RFC 1035 section 2.3.4; and what fits an unfragmented packet everywhere (RFC 9715) */
const [UDP_MIN, UDP_MAX] = [512, 1232];
/**
 * What a query needs: the longest name, EDNS, cookies and padding. A name in a longer one may point to another a thousand
 * times over, which was measured to cost 170 ms to read.
 */
const [QUERY_MAX, RECORDS_MAX] = [UDP_MAX, 4];
const FAILURES = { FORMERR: 1, SERVFAIL: 2, NOTIMP: 4 } as const;
const [RESPONSE, OPCODE, AUTHORITATIVE, TRUNCATED] = [0x8000, 0x7800, 0x0400, 0x0200];
/** Seconds; a workload that moves is found again as soon. */
const TTL_S = 5;
/** All of them fit into a TCP message with the longest names. */
const MAX_ADDRESSES = 100;

/**
 * Reads a message that anybody may have written; undefined for one that deserves no answer: noise, or an answer itself,
 * which two servers could toss to each other for ever.
 * @param stream whether it came by TCP, where answers may be long
 */
export function readQuery(bytes: Buffer, stream: boolean): Received | undefined {
  if (bytes.length < HEADER_LENGTH) return undefined;
  const flags = bytes.readUInt16BE(2);
  if ((flags & RESPONSE) !== 0) return undefined;
  if ((flags & OPCODE) !== 0) return { reply: failure(bytes, 'NOTIMP') };
  const packet = isPlain(bytes) ? tryDecode(bytes) : undefined;
  const question = packet?.questions?.length === 1 ? packet.questions[0] : undefined;
  if (packet === undefined || question === undefined || questionOf(bytes) === undefined) {
    return { reply: failure(bytes, 'FORMERR') };
  }
  const offered = packet.additionals?.flatMap((record) => (record.type === 'OPT' ? [record.udpPayloadSize] : []))[0];
  const size = Math.min(Math.max(offered ?? UDP_MIN, UDP_MIN), UDP_MAX);
  return { query: { bytes, question, size: stream ? MESSAGE_MAX : size, edns: offered !== undefined } };
}

/** Whether it is short: no longer and with no more records behind the question than a query has. */
function isPlain(bytes: Buffer): boolean {
  const records = [6, 8, 10].map((at) => bytes.readUInt16BE(at)).reduce((sum, count) => sum + count);
  return bytes.length <= QUERY_MAX && records <= RECORDS_MAX;
}

function tryDecode(bytes: Buffer): Packet | undefined {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The answer from what the table found. A name that exists and has nothing of the type asked for gets an empty answer
 * (NODATA): it is ours, and nobody else shall be asked. `turn` says which address comes first.
 */
export function encodeFound({ bytes, question, size, edns }: Query, found: Found, turn: number): Buffer {
  const answers = answersOf(question, found, turn);
  const packet: Packet = {
    type: 'response',
    id: bytes.readUInt16BE(0),
    flags: flagsFor(bytes) | AUTHORITATIVE,
    questions: [question],
    answers,
    additionals: edns ? [EDNS] : [],
  };
  const whole = encode(packet);
  if (whole.length <= size) return whole;
  const first = encode({ ...packet, answers: [] }).length;
  const each = (whole.length - first) / answers.length;
  const fitting = answers.slice(0, Math.floor((size - first) / each));
  return encode({ ...packet, flags: flagsFor(bytes) | AUTHORITATIVE | TRUNCATED, answers: fitting });
}

const EDNS: OptAnswer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: UDP_MAX,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};

function answersOf({ name, type, class: asked }: Question, found: Found, turn: number): NonNullable<Packet['answers']> {
  if (asked !== 'IN' && asked !== 'ANY') return [];
  if (found.kind === 'pointer') return asks(type, 'PTR') ? [{ name, ttl: TTL_S, type: 'PTR', data: found.name }] : [];
  const fitting = found.addresses.filter((address) => asks(type, familyOf(address) === 4 ? 'A' : 'AAAA'));
  const from = fitting.length === 0 ? 0 : turn % fitting.length;
  return [...fitting.slice(from), ...fitting.slice(0, from)]
    .slice(0, MAX_ADDRESSES)
    .map((data) => ({ name, ttl: TTL_S, type: familyOf(data) === 4 ? 'A' : 'AAAA', data }));
}

function asks(type: string, has: string): boolean {
  return type === has || type === 'ANY';
}

/** A header that says what is wrong, with the question where it can be read. */
export function failure(bytes: Buffer, what: Failure): Buffer {
  const question = questionOf(bytes) ?? Buffer.alloc(0);
  const reply = Buffer.alloc(HEADER_LENGTH + question.length);
  reply.writeUInt16BE(bytes.readUInt16BE(0), 0);
  reply.writeUInt16BE(RESPONSE | (bytes.readUInt16BE(2) & OPCODE) | flagsFor(bytes) | FAILURES[what], 2);
  reply.writeUInt16BE(question.length === 0 ? 0 : 1, 4);
  question.copy(reply, HEADER_LENGTH);
  return reply;
}

function flagsFor(bytes: Buffer): number {
  return (bytes.readUInt16BE(2) & RECURSION_DESIRED) | RECURSION_AVAILABLE;
}

/** The one question of a message, in bytes; undefined where it has another number of them, or a compressed one. */
function questionOf(bytes: Buffer): Buffer | undefined {
  if (bytes.length < HEADER_LENGTH || bytes.readUInt16BE(4) !== 1) return undefined;
  let at = HEADER_LENGTH;
  for (let label = bytes[at] ?? 0; label !== 0; label = bytes[at] ?? 0) {
    if (label > LABEL_MAX) return undefined;
    at += 1 + label;
  }
  const end = at + 1 + TYPE_AND_CLASS;
  return end <= bytes.length ? bytes.subarray(HEADER_LENGTH, end) : undefined;
}

const LABEL_MAX = 63;
const TYPE_AND_CLASS = 4;

/** Whether a message answers this query: same id, same question. Everything else at its port is stray or forged. */
export function isAnswerTo(query: Buffer, message: Buffer): boolean {
  if (message.length < HEADER_LENGTH || (message.readUInt16BE(2) & RESPONSE) === 0) return false;
  if (message.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  const [asked, answered] = [questionOf(query), questionOf(message)];
  return asked !== undefined && answered !== undefined && sameQuestion(asked, answered);
}

/** Servers may answer in another case than they were asked in. */
function sameQuestion(a: Buffer, b: Buffer): boolean {
  const tail = a.length - TYPE_AND_CLASS;
  const same = a.length === b.length && a.subarray(tail).equals(b.subarray(tail));
  return same && a.toString('latin1', 0, tail).toLowerCase() === b.toString('latin1', 0, tail).toLowerCase();
}

/** Whether the server could not help (SERVFAIL, REFUSED, NOTIMP, …), so that another one is worth asking. */
export function isUnhelpful(message: Buffer): boolean {
  const rcode = (message[3] ?? 0) & 0x0f;
  return rcode !== NO_ERROR && rcode !== NAME_ERROR;
}

const [NO_ERROR, NAME_ERROR] = [0, 3];

/** The same message under another id. */
export function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id, 0);
  return copy;
}
