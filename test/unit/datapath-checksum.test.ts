import { expect, test } from '@jest/globals';
import { messagePayload } from '../../src/datapath/fake-memory.ts';
import { internetChecksum } from '../../src/packet/checksum.ts';
import { newSegmenter, VNI } from './support/datapath.ts';
import { bytesOf, ethernet, ip4, ip6, udp, unfinished } from './support/frames.ts';
import { framesIn } from './support/segment-oracle.ts';

const segmenter = newSegmenter();

/** The frame as it is sent, its checksum finished. */
function finished(tapFrame: Buffer, shift: number): Buffer {
  segmenter.reset();
  const at = segmenter.slots + shift;
  segmenter.bytes.set(tapFrame, at);
  expect(segmenter.encapsulate(at, tapFrame.length, VNI, 0, 65_535)).toBe(1);
  return Buffer.from(messagePayload(segmenter.bytes, segmenter.messageAt(0)).subarray(8));
}

test('is the same wherever in memory a frame lies and however long it is', () => {
  const wrong: string[] = [];
  for (let length = 0; length < 100; length += 1) {
    const frames = [ethernet(ip4(udp(bytesOf(length)))), ethernet(ip6(udp(bytesOf(length))))];
    for (const frame of frames) {
      for (let shift = 0; shift < 16; shift += 1) {
        if (!finished(unfinished(frame), shift).equals(frame.bytes)) wrong.push(`${length} bytes at ${shift}`);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test.each([0x00, 0xff])('carries as often as it must: 65 000 bytes of %i', (value) => {
  const frame = ethernet(ip4(udp(Buffer.alloc(65_000, value))));
  expect(finished(unfinished(frame), 0).equals(frame.bytes)).toBe(true);
});

test('of a UDP datagram is never zero, which would mean none (RFC 768)', () => {
  const empty = ethernet(ip4(udp(Buffer.alloc(2))));
  // Two bytes of data that bring the sum to all ones.
  const missing = empty.bytes.readUInt16BE(empty.checksumAt);
  const data = Buffer.alloc(2);
  data.writeUInt16BE(missing);
  const frame = ethernet(ip4(udp(data)));
  expect(frame.bytes.readUInt16BE(frame.checksumAt)).toBe(0xffff);
  expect(finished(unfinished(frame), 0).toString('hex')).toBe(frame.bytes.toString('hex'));
});

test('the oracle agrees with the frames that it is asked about', () => {
  const frame = ethernet(ip4(udp(bytesOf(77))));
  expect(framesIn(unfinished(frame)).map((one) => one.toString('hex'))).toEqual([frame.bytes.toString('hex')]);
  expect(internetChecksum(frame.bytes.subarray(14, 34))).toBe(0);
});
