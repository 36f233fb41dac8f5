import { describe, expect, test } from '@jest/globals';
import { gratuitousArp } from '../../src/packet/arp.ts';
import { parseCaptureFilter } from '../../src/packet/capture-filter.ts';
import { pcapngFrame, pcapngHeader } from '../../src/packet/pcapng.ts';
import { deriveMac } from '../../src/model/derived-mac.ts';

const MAC = deriveMac('line1', 'historian');
const ARP = gratuitousArp(MAC, '10.0.0.5');
const hex = (...parts: readonly string[]): Buffer => Buffer.from(parts.join(''), 'hex');
const MACS = '020000000002020000000001';
const TCP = hex(MACS, '0800', '4500002c0000400040060000', '0a0000050a000006', '1f900050', '00'.repeat(20));
const TAGGED = Buffer.concat([TCP.subarray(0, 12), Buffer.from('81000064', 'hex'), TCP.subarray(12)]);
const FRAGMENT = Buffer.from(TCP);
FRAGMENT.writeUInt16BE(100, 20);
const ADDRESSES6 = `fd${'00'.repeat(14)}05fd${'00'.repeat(14)}06`;
const UDP6 = hex(MACS, '86dd', '6000000000101140', ADDRESSES6, '0035003500100000', '00'.repeat(8));

describe('a capture’s filter', () => {
  test.each([
    ['', [true, true, true, true, true]],
    ['arp', [true, false, false, false, false]],
    ['tcp', [false, true, true, true, false]],
    ['not tcp', [true, false, false, false, true]],
    ['udp and ip6', [false, false, false, false, true]],
    ['host 10.0.0.5', [true, true, true, true, false]],
    ['host fd00::6', [false, false, false, false, true]],
    ['port 8080', [false, true, true, false, false]],
    ['port 53 and udp', [false, false, false, false, true]],
    ['ether host 02:00:00:00:00:01', [false, true, true, true, true]],
    ['TCP and not port 8080', [false, false, false, true, false]],
  ])('"%s"', (text, expected) => {
    const filter = parseCaptureFilter(text);
    expect([ARP, TCP, TAGGED, FRAGMENT, UDP6].map((frame) => filter(frame))).toEqual(expected);
  });

  test.each(['tpc', 'host', 'host x', 'port 70000', 'tcp udp', 'ether 02:00:00:00:00:01'])('refuses "%s"', (text) => {
    expect(() => parseCaptureFilter(text)).toThrow(RangeError);
  });

  test('no frame is too short for it', () => {
    const filters = ['tcp', 'host 10.0.0.5', 'host fd00::6', 'port 53'].map((text) => parseCaptureFilter(text));
    for (const frame of [ARP, TCP, TAGGED, UDP6]) {
      for (let length = 0; length < frame.length; length += 1) {
        for (const filter of filters) expect(typeof filter(frame.subarray(0, length))).toBe('boolean');
      }
    }
  });
});

test('blocks of pcapng tell their own length at both ends, in multiples of four', () => {
  const frame = pcapngFrame({
    time: 1_700_000_000_123_456_789n,
    outgoing: true,
    bytes: ARP.subarray(0, 41),
    length: 42,
  });
  const header = pcapngHeader('lsx-line1', 65_535);
  for (const block of [frame, header.subarray(28)]) {
    expect(block.length % 4).toBe(0);
    expect(block.readUInt32LE(4)).toBe(block.length);
    expect(block.readUInt32LE(block.length - 4)).toBe(block.length);
  }
  expect(header.readUInt32LE(0)).toBe(0x0a0d_0d0a);
  expect([frame.readUInt32LE(20), frame.readUInt32LE(24)]).toEqual([41, 42]);
});
