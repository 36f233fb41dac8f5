import { describe, expect, test } from '@jest/globals';
import { decode, encode, type Packet } from 'dns-packet';
import * as fc from 'fast-check';
import { encodeFound, failure, isAnswerTo, isUnhelpful, type Query, readQuery } from '../../src/names/message.ts';
import type { Found } from '../../src/names/table.ts';
import { framed, MessageStream } from '../../src/resolver/stream.ts';

const asking = (name: string, type = 'A', more: Packet = {}): Buffer =>
  encode({ type: 'query', id: 7, flags: 0x0100, questions: [{ name, type: type as 'A' }], ...more });
const opt = (size: number): Packet => ({
  additionals: [
    {
      type: 'OPT',
      name: '.',
      udpPayloadSize: size,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: 0,
      flag_do: false,
      options: [],
    },
  ],
});
const RECORD = { type: 'A', name: 'db', ttl: 0, data: '10.0.0.1' } as const;
function queryOf(bytes: Buffer, stream = false): Query {
  const received = readQuery(bytes, stream);
  if (received === undefined || !('query' in received)) throw new Error('no query');
  return received.query;
}
function rcodeOf(bytes: Buffer): number | undefined {
  const received = readQuery(bytes, false);
  return received && 'reply' in received ? received.reply.readUInt16BE(2) & 0x0f : undefined;
}
const many = (count: number): Found => ({
  kind: 'addresses',
  addresses: Array.from({ length: count }, (_, n) => `10.0.${n >> 8}.${n & 0xff}`),
});
const dataOf = (message: Buffer): readonly unknown[] =>
  (decode(message).answers ?? []).map((answer) => 'data' in answer && answer.data);

describe('queries', () => {
  test('an answer is never answered, nor is noise', () => {
    expect(
      readQuery(encode({ type: 'response', id: 1, questions: [{ name: 'db', type: 'A' }] }), false),
    ).toBeUndefined();
    expect(readQuery(Buffer.alloc(11), false)).toBeUndefined();
  });

  test('other opcodes are not implemented; none, two and broken questions are format errors', () => {
    const notify = asking('db');
    notify.writeUInt16BE(0x2000, 2);
    expect(rcodeOf(notify)).toBe(4);
    expect(rcodeOf(encode({ type: 'query', id: 1, questions: [] }))).toBe(1);
    const two = {
      questions: [
        { name: 'a', type: 'A' as const },
        { name: 'b', type: 'A' as const },
      ],
    };
    expect(rcodeOf(encode({ type: 'query', id: 1, ...two }))).toBe(1);
    expect(rcodeOf(asking('db').subarray(0, -1))).toBe(1);
    expect(rcodeOf(Buffer.concat([asking('db'), Buffer.alloc(1233)]))).toBe(1);
    expect(rcodeOf(asking('db', 'A', { answers: Array.from({ length: 5 }, () => RECORD) }))).toBe(1);
    expect(queryOf(asking('db', 'A', { authorities: [RECORD], ...opt(512) })).edns).toBe(true);
    const loop = asking('db');
    loop.writeUInt16BE(0xc00c, 12);
    expect(rcodeOf(loop)).toBe(1);
  });

  test('whatever comes, nothing is thrown, and a reply is a response under the same id', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.tuple(fc.nat(60), fc.nat(255)).map(([at, value]) => {
        const changed = asking('historian.line1', 'A', opt(1232));
        changed[at % changed.length] = value;
        return changed;
      }),
    );
    fc.assert(
      fc.property(bytes, fc.boolean(), (message, stream) => {
        const received = readQuery(Buffer.from(message), stream);
        if (received === undefined) return;
        const reply = 'reply' in received ? received.reply : encodeFound(received.query, many(3), 1);
        expect(reply.readUInt16BE(0)).toBe(Buffer.from(message).readUInt16BE(0));
        expect(reply.readUInt16BE(2) & 0x8000).toBe(0x8000);
        expect(reply.length).toBeLessThanOrEqual(stream ? 65_535 : 1232);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('answers', () => {
  test('echo the question as it was written, with both flags of recursion', () => {
    const answer = decode(encodeFound(queryOf(asking('dB.Line1')), many(1), 0));
    expect(answer).toMatchObject({ id: 7, rcode: 'NOERROR', flag_aa: true, flag_rd: true, flag_ra: true });
    expect(answer.questions).toMatchObject([{ name: 'dB.Line1', type: 'A' }]);
    expect(answer.answers).toMatchObject([{ name: 'dB.Line1', type: 'A', ttl: 5, data: '10.0.0.0' }]);
  });

  test('hold the family that was asked for, or both for ANY, or nothing', () => {
    const found: Found = { kind: 'addresses', addresses: ['10.0.0.1', 'fd00::1'] };
    const ask = (type: string): readonly unknown[] => dataOf(encodeFound(queryOf(asking('db', type)), found, 0));
    expect(ask('AAAA')).toEqual(['fd00::1']);
    expect(ask('ANY')).toEqual(['10.0.0.1', 'fd00::1']);
    expect(ask('MX')).toEqual([]);
    expect(ask('UNKNOWN_65')).toEqual([]);
    const pointer: Found = { kind: 'pointer', name: 'db.line1' };
    expect(dataOf(encodeFound(queryOf(asking('1.0.0.10.in-addr.arpa', 'PTR')), pointer, 0))).toEqual(['db.line1']);
    expect(dataOf(encodeFound(queryOf(asking('1.0.0.10.in-addr.arpa')), pointer, 0))).toEqual([]);
  });

  test('begin with another address each time', () => {
    const query = queryOf(asking('db'));
    const firsts = [0, 1, 2, 3].map((turn) => dataOf(encodeFound(query, many(3), turn))[0]);
    expect(firsts).toEqual(['10.0.0.0', '10.0.0.1', '10.0.0.2', '10.0.0.0']);
  });

  test('that are too long are cut and say so, by what the asker takes; over TCP they are whole', () => {
    for (const [more, size] of [
      [{}, 512],
      [opt(100), 512],
      [opt(900), 900],
      [opt(65_000), 1232],
    ] as const) {
      const message = encodeFound(queryOf(asking('db', 'A', more)), many(100), 0);
      expect(message.length).toBeLessThanOrEqual(size);
      expect(message.length).toBeGreaterThan(size - 20);
      expect(decode(message)).toMatchObject({
        flag_tc: true,
        additionals: 'additionals' in more ? [{ type: 'OPT' }] : [],
      });
    }
    const whole = encodeFound(queryOf(asking('db'), true), many(2000), 0);
    expect(decode(whole)).toMatchObject({ flag_tc: false });
    expect(dataOf(whole)).toHaveLength(100);
  });
});

const answer = (over: Packet): Buffer =>
  encode({ type: 'response', id: 7, questions: [{ name: 'DB.line1', type: 'A' }], ...over });

test('only the same id and question make an answer; case may differ, type may not', () => {
  const query = asking('db.line1');
  expect(isAnswerTo(query, answer({}))).toBe(true);
  expect(isAnswerTo(query, answer({ id: 8 }))).toBe(false);
  expect(isAnswerTo(query, answer({ type: 'query' }))).toBe(false);
  expect(isAnswerTo(query, answer({ questions: [{ name: 'db.line2', type: 'A' }] }))).toBe(false);
  expect(isAnswerTo(query, answer({ questions: [{ name: 'db.line1', type: 'AAAA' }] }))).toBe(false);
  expect(isAnswerTo(query, answer({ questions: [] }))).toBe(false);
  expect(isAnswerTo(query, Buffer.alloc(3))).toBe(false);
  expect(isUnhelpful(failure(query, 'SERVFAIL'))).toBe(true);
  expect(isUnhelpful(answer({ flags: 3 }))).toBe(false);
});

test('a stream in any pieces is the messages that went in', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sent, cuts) => {
      const bytes = Buffer.concat(sent.map((message) => framed(Buffer.from(message))));
      const stream = new MessageStream();
      const got: Buffer[] = [];
      for (let at = 0, n = 0; at < bytes.length; n += 1) {
        const length = cuts[n % cuts.length] ?? 1;
        got.push(...stream.push(bytes.subarray(at, at + length)));
        at += length;
      }
      expect(got).toEqual(sent.map((message) => Buffer.from(message)));
    }),
  );
});
