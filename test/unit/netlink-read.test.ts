import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { attribute, message, nested, text, u32 } from '../../src/packet/netlink.ts';
import {
  addressIn,
  endOf,
  type NetlinkMessage,
  numberIn,
  bigEndianIn,
  readAttributes,
  readMessages,
  textIn,
} from '../../src/packet/netlink-read.ts';
import { generationQuestion, readGeneration } from '../../src/packet/nftables.ts';
import { readAddress } from '../../src/packet/rtnetlink/address.ts';
import { readFdbEntry } from '../../src/packet/rtnetlink/fdb.ts';
import { readLink } from '../../src/packet/rtnetlink/link.ts';
import { readRoute } from '../../src/packet/rtnetlink/route.ts';

const READERS: readonly ((found: NetlinkMessage) => unknown)[] = [
  readAddress,
  readFdbEntry,
  readGeneration,
  readLink,
  readRoute,
];
const [NEWLINK, NEWADDR] = [16, 20];

const readOne = <T>(bytes: Buffer, read: (found: ReturnType<typeof readMessages>[number]) => T): T | undefined =>
  readMessages(bytes).map((found) => read(found))[0];

describe('messages', () => {
  test('are told apart, each with what belongs to it', () => {
    const bytes = Buffer.concat([message(1, 0x10, 0, Buffer.of(1, 2, 3, 4)), message(2, 0, 0)]);
    expect(readMessages(bytes)).toEqual([
      { type: 1, interrupted: true, payload: Buffer.of(1, 2, 3, 4) },
      { type: 2, interrupted: false, payload: Buffer.alloc(0) },
    ]);
  });

  test('end with an acknowledgement or a dump’s end, whose number is an errno', () => {
    const refused = Buffer.alloc(4);
    refused.writeInt32LE(-101);
    expect(readMessages(message(2, 0, 0, refused)).map((end) => endOf(end))).toEqual([101]);
    expect(readMessages(message(3, 0, 0, Buffer.alloc(4))).map((end) => endOf(end))).toEqual([0]);
    expect(readMessages(message(16, 0, 0, refused)).map((end) => endOf(end))).toEqual([undefined]);
  });

  test('that are cut short are not read', () => {
    const whole = message(16, 0, 0, Buffer.alloc(16), text(3, 'eth0'));
    for (let length = 0; length < whole.length; length += 1)
      expect(readMessages(whole.subarray(0, length))).toEqual([]);
  });
});

test('attributes: numbers of any width, text to its zero, addresses and ports of their own length only', () => {
  const attributes = readAttributes(
    Buffer.concat([
      attribute(1, Buffer.of(7)),
      u32(2, 65_536),
      text(3, 'é'),
      attribute(4, Buffer.from('xy')),
      attribute(5, Buffer.of(10, 0, 0, 1)),
      attribute(6, Buffer.of(0x12, 0xb5)),
      nested(7, u32(1, 5)),
    ]),
  );
  expect([1, 2, 9].map((type) => numberIn(attributes, type))).toEqual([7, 65_536, undefined]);
  expect([3, 4, 9].map((type) => textIn(attributes, type))).toEqual(['é', 'xy', undefined]);
  expect([5, 6, 9].map((type) => addressIn(attributes, type))).toEqual(['10.0.0.1', undefined, undefined]);
  expect([6, 5, 9].map((type) => bigEndianIn(attributes, type))).toEqual([4789, undefined, undefined]);
  expect(readAttributes(attributes.get(7) ?? Buffer.alloc(0)).get(1)).toEqual(Buffer.of(5, 0, 0, 0));
});

describe('what a message tells', () => {
  test('a link of a kind that nobody knows is a link all the same', () => {
    const info = Buffer.alloc(16);
    info.writeInt32LE(9, 4);
    info.writeUInt32LE(1, 8);
    const bytes = message(NEWLINK, 0, 0, info, text(3, 'x0'), u32(5, 0), nested(18, text(1, 'novel'), nested(2)));
    expect(readOne(bytes, readLink)).toMatchObject({
      index: 9,
      name: 'x0',
      up: true,
      kind: 'novel',
      data: {},
      mac: '',
    });
    // A tunnel that is bound to nothing has no parent, and not interface 0.
    expect(readOne(bytes, readLink)?.parent).toBeUndefined();
  });

  test('of a point-to-point address, the own end', () => {
    const header = Buffer.of(2, 32, 0, 0, 5, 0, 0, 0);
    const ends = [attribute(1, Buffer.of(10, 0, 0, 2)), attribute(2, Buffer.of(10, 0, 0, 1))];
    expect(readOne(message(NEWADDR, 0, 0, header, ...ends), readAddress)).toEqual({
      index: 5,
      prefix: '10.0.0.1/32',
      linkLocal: false,
    });
  });

  test('a question is no answer', () => {
    expect(readOne(generationQuestion(), readGeneration)).toBeUndefined();
  });

  test('whatever the bytes are, nothing throws', () => {
    const type = fc.constantFrom(16, 20, 24, 28, 0xa0f);
    fc.assert(
      fc.property(type, fc.uint8Array({ maxLength: 120 }), (kind, bytes) => {
        for (const read of READERS) readOne(message(kind, 0, 0, bytes), read);
      }),
      { numRuns: 2000 },
    );
  });
});
