import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type Datagram, type Trouble, troubledWayTo, wayTo } from '../../src/datapath/fakes.ts';
import { internetChecksum } from '../../src/packet/checksum.ts';
import { overlay, pair, peer, Site } from './support/datapath.ts';
import {
  bytesOf,
  ethernet,
  FLAG,
  GSO,
  icmp,
  ip4,
  ip6,
  plain,
  pseudoHeader,
  rawFrame,
  superFrame,
  tcp,
  TIMESTAMPS,
  udp,
} from './support/frames.ts';
import { framesIn } from './support/segment-oracle.ts';

type Piece = {
  readonly kind: 'tcp' | 'udp' | 'icmp' | 'raw';
  readonly six: boolean;
  readonly flow: number;
  readonly length: number;
  readonly size: number;
  readonly push: boolean;
};

const piece: fc.Arbitrary<Piece> = fc.record({
  kind: fc.constantFrom('tcp', 'tcp', 'tcp', 'udp', 'udp', 'icmp', 'raw'),
  six: fc.boolean(),
  flow: fc.nat(2),
  length: fc.oneof(fc.integer({ min: 1, max: 1200 }), fc.integer({ min: 1, max: 20_000 })),
  size: fc.integer({ min: 300, max: 1300 }),
  push: fc.boolean(),
});
const trouble: fc.Arbitrary<Trouble> = fc.record({
  loss: fc.constantFrom(0, 0, 0.1, 0.5),
  twice: fc.constantFrom(0, 0, 0.2),
  reorder: fc.constantFrom(0, 0, 0.3),
});
const kernel = fc.record({ gro: fc.boolean(), uso: fc.boolean() });

/** What workloads send, each TCP flow with its own sequence numbers. */
function tapFrames(pieces: readonly Piece[]): Buffer[] {
  const sequences = new Map<string, number>();
  return pieces.map(({ kind, six, flow, length, size, push }, index) => {
    const data = bytesOf(length, index + 1);
    const wrap = (layer: ReturnType<typeof tcp>): ReturnType<typeof ethernet> =>
      ethernet(six ? ip6(layer) : ip4(layer, { id: index * 100 }));
    if (kind === 'raw') return plain(rawFrame('8892', data.subarray(0, 1400)));
    if (kind === 'icmp') return plain(wrap(icmp(data.subarray(0, 1200))).bytes);
    if (kind === 'udp') return superFrame(wrap(udp(data, { source: 4000 + flow })), GSO.UDP_L4, size);
    const sequence = sequences.get(`${six} ${flow}`) ?? 0xffff_8000;
    sequences.set(`${six} ${flow}`, sequence + length);
    const flags = FLAG.ACK | (push ? FLAG.PSH : 0);
    const layer = tcp(data, { source: 4000 + flow, sequence, flags, options: TIMESTAMPS });
    return superFrame(wrap(layer), six ? GSO.TCPV6 : GSO.TCPV4, size);
  });
}

/** A frame without what joining may change: pushes, and identifications where nothing may fragment. */
function essence(frame: Buffer): string {
  const six = frame.readUInt16BE(12) === 0x86dd;
  if (!six && frame.readUInt16BE(12) !== 0x0800) return frame.toString('hex');
  const copy = Buffer.from(frame);
  const transport = six ? 54 : 34;
  const protocol = copy.readUInt8(six ? 20 : 23);
  if (!six) {
    expect(internetChecksum(copy.subarray(14, 34))).toBe(0);
    copy.fill(0, 18, 20).fill(0, 24, 26);
  }
  if (protocol !== 6) return copy.toString('hex');
  const pseudo = pseudoHeader(copy.subarray(14), protocol, copy.length - transport);
  expect(internetChecksum(pseudo, copy.subarray(transport))).toBe(0);
  copy.writeUInt8(copy.readUInt8(transport + 13) & ~FLAG.PSH, transport + 13);
  copy.fill(0, transport + 16, transport + 18);
  return copy.toString('hex');
}

const framesOf = (written: readonly Buffer[]): string[] =>
  written.flatMap((frame) => framesIn(frame)).map((frame) => essence(frame));

const total = (drops: Record<string, number>): number => Object.values(drops).reduce((sum, count) => sum + count, 0);

const lengths = (seed: number): number[] => {
  const frames = Array.from({ length: 100 }, (_, length) => plain(rawFrame('8892', bytesOf(length))));
  const a: Site = new Site(
    '192.0.2.1',
    troubledWayTo(() => b.underlay.in, { loss: 0.2, twice: 0.2, reorder: 0.5 }, seed),
  );
  const b: Site = new Site('192.0.2.2', () => undefined);
  a.apply(overlay({ peers: [peer('192.0.2.2')] }));
  a.send(frames);
  return b.underlay.in.waiting.map(({ payload }) => payload.length);
};

describe('two engines', () => {
  test.each([
    ['IPv4', ['192.0.2.1', '192.0.2.2']],
    ['IPv6', ['2001:db8::1', '2001:db8::2']],
  ] as const)('over %s carry all that workloads send, each flow in order, both ways', (_, ips) => {
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 30 }), (pieces) => {
        const { a, b } = pair({}, ips);
        for (const [from, to] of [
          [a, b],
          [b, a],
        ] as const) {
          const frames = tapFrames(pieces);
          const sent = framesOf(frames);
          from.send(frames);
          expect(framesOf(to.receive())).toEqual(sent);
          expect([from.drops('out'), to.drops('in')]).toEqual([{}, {}]);
          expect(to.count('in', 'received_frames')).toBe(sent.length);
          expect(to.count('in', 'received_bytes')).toBe(from.count('out', 'sent_bytes'));
        }
      }),
      { numRuns: 60, seed: 20_261_124 },
    );
  });

  test('whatever the way does, a TAP gets only frames that were sent, and each is counted once', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 30 }),
        trouble,
        kernel,
        fc.nat(),
        (pieces, way, offloads, seed) => {
          let arrived = 0;
          const deliver = troubledWayTo(() => b.underlay.in, way, seed);
          const counting = (datagram: Datagram): void => {
            const before = b.underlay.in.waiting.length;
            deliver(datagram);
            arrived += b.underlay.in.waiting.length - before;
          };
          const a: Site = new Site('192.0.2.1', counting);
          const b: Site = new Site(
            '192.0.2.2',
            wayTo(() => a.underlay.in),
            offloads,
          );
          a.apply(overlay({ peers: [peer('192.0.2.2')] }));
          b.apply(overlay({ peers: [peer('192.0.2.1')] }));
          const frames = tapFrames(pieces);
          const sent = framesOf(frames);
          a.send(frames);
          expect(a.count('out', 'sent_frames') + total(a.drops('out'))).toBe(sent.length);
          const got = framesOf(b.receive());
          const known = new Set(sent);
          expect(got.filter((frame) => !known.has(frame))).toEqual([]);
          expect(got).toHaveLength(arrived);
          expect(b.count('in', 'received_frames') + total(b.drops('in'))).toBe(arrived);
          if (way.loss + way.twice + way.reorder === 0) expect(got).toEqual(sent);
        },
      ),
      { numRuns: 150, seed: 20_261_124 },
    );
  });

  test('a way that is troubled does the same for the same seed', () => {
    expect(lengths(1)).toEqual(lengths(1));
    expect(lengths(1)).not.toEqual(lengths(2));
    expect(lengths(1)).not.toEqual(lengths(1).toSorted((a, b) => a - b));
  });
});
