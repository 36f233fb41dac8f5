import { describe, expect, test } from '@jest/globals';
import { assert, oneof, property, uint8Array } from 'fast-check';
import { addressBytes } from '../../src/packet/address.ts';
import { internetChecksum } from '../../src/packet/checksum.ts';
import { echoRequest, readIcmp4, readIcmp6, renumber } from '../../src/packet/echo.ts';

const echo = { identifier: 0x1234, sequence: 7, token: Buffer.from('0102030405060708', 'hex') };
const four = (length: number): Buffer => echoRequest('198.51.100.1', '198.51.100.2', length, echo);
const six = (length: number): Buffer => echoRequest('2001:db8::1', '2001:db8::2', length, echo);

/** As the other end answers: the same message with another type. */
const replyTo = (message: Buffer, type: number): Buffer => Buffer.concat([Buffer.from([type]), message.subarray(1)]);
const error = (type: number, code: number, mtu: number, quoted: Buffer): Buffer => {
  const header = Buffer.alloc(8);
  header.writeUInt8(type, 0);
  header.writeUInt8(code, 1);
  header.writeUInt32BE(mtu, 4);
  return Buffer.concat([header, quoted]);
};

describe('an echo request', () => {
  test('is a whole packet of the length asked for, from the VTEP’s address, not to be cut up', () => {
    expect([four(1400).length, four(0).length, six(1400).length, six(0).length]).toEqual([1400, 36, 1400, 56]);
    expect(four(1400).subarray(0, 20).toString('hex')).toBe('450005780000400040010000c6336401c6336402');
    expect(six(1400).subarray(0, 8).toString('hex')).toBe('6000000005503a40');
  });

  test('has right checksums', () => {
    expect(internetChecksum(four(1401).subarray(20))).toBe(0);
    const pseudo = Buffer.from('000005510000003a', 'hex');
    const ends = [addressBytes('2001:db8::1', 6), addressBytes('2001:db8::2', 6)];
    expect(internetChecksum(...ends, pseudo, six(1401).subarray(40))).toBe(0);
  });
});

test.each([0, 7, 0x1234, 0xffff])('a request with number %d given to it is as if made with it', (sequence) => {
  for (const [source, target] of [
    ['198.51.100.1', '198.51.100.2'],
    ['2001:db8::1', '2001:db8::2'],
  ] as const) {
    const packet = echoRequest(source, target, 100, echo);
    const made = echoRequest(source, target, 100, { ...echo, sequence });
    expect(renumber(packet, sequence)).toBe(made.readUInt16BE(target.includes(':') ? 42 : 22));
    expect(packet.equals(made)).toBe(true);
  }
});

describe('what comes in', () => {
  test('an answer', () => {
    const packet = four(100);
    const answer = Buffer.concat([packet.subarray(0, 20), replyTo(packet.subarray(20), 0)]);
    expect(readIcmp4(answer)).toEqual({ kind: 'reply', echo });
    expect(readIcmp6(replyTo(six(100).subarray(40), 129))).toEqual({ kind: 'reply', echo });
  });

  test('that a request was too big, and for what', () => {
    const header = four(0).subarray(0, 20);
    const expected = { identifier: 0x1234, sequence: 7 };
    expect(readIcmp4(Buffer.concat([header, error(3, 4, 1400, four(1500).subarray(0, 28))]))).toEqual({
      kind: 'tooBig',
      target: '198.51.100.2',
      mtu: 1400,
      request: { ...expected, checksum: four(1500).readUInt16BE(22) },
    });
    expect(readIcmp6(error(2, 0, 1300, six(1500).subarray(0, 1000)))).toEqual({
      kind: 'tooBig',
      target: '2001:db8::2',
      mtu: 1300,
      request: { ...expected, checksum: six(1500).readUInt16BE(42) },
    });
  });

  test('that another packet was', () => {
    const udp = Buffer.from(four(100));
    udp.writeUInt8(17, 9);
    const heard = readIcmp4(Buffer.concat([four(0).subarray(0, 20), error(3, 4, 1400, udp.subarray(0, 28))]));
    expect(heard).toEqual({ kind: 'tooBig', target: '198.51.100.2', mtu: 1400, request: undefined });
  });

  test('other messages, and errors without an MTU, say nothing', () => {
    const header = four(0).subarray(0, 20);
    for (const [type, code, mtu] of [
      [3, 3, 0],
      [3, 4, 0],
      [8, 0, 0],
      [11, 0, 0],
    ] as const) {
      expect(readIcmp4(Buffer.concat([header, error(type, code, mtu, four(100))]))).toBeUndefined();
    }
    expect(readIcmp6(error(1, 4, 0, six(100)))).toBeUndefined();
  });

  test('any bytes are read without a fault', () => {
    const headed = uint8Array({ maxLength: 120 }).map((bytes) => Buffer.concat([Buffer.from([0x45]), bytes]));
    assert(
      property(
        oneof(
          uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes)),
          headed,
        ),
        (bytes) => {
          for (const read of [readIcmp4, readIcmp6]) {
            for (const type of [0, 2, 3, 129]) read(replyTo(bytes, type));
            read(Buffer.concat([four(0).subarray(0, 20), bytes]));
          }
        },
      ),
    );
  });
});
