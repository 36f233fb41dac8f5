import { describe, expect, test } from '@jest/globals';
import { JOB } from '../../src/datapath/coalescer.ts';
import { internetChecksum } from '../../src/packet/checksum.ts';
import { setGroSize } from '../../src/datapath/fake-memory.ts';
import { MemoryUnderlay } from '../../src/datapath/fakes.ts';
import { sockaddr } from '../../src/datapath/sockaddr.ts';
import { type DatapathNetwork } from '../../src/datapath/state.ts';
import { newCoalescer, overlay, peer, Site, VNI } from './support/datapath.ts';
import {
  bytesOf,
  ethernet,
  FLAG,
  type Frame,
  icmp,
  ip4,
  ip6,
  rawFrame,
  tcp,
  TIMESTAMPS,
  udp,
} from './support/frames.ts';
import { framesIn, vxlan } from './support/segment-oracle.ts';

const PEER = '192.0.2.2';
const FROM = sockaddr({ ip: PEER, port: 50_000 });
const hex = (frames: readonly Buffer[]): string[] => frames.map((frame) => frame.toString('hex'));

type Kernel = { readonly gro: boolean; readonly uso: boolean };

function newSite(over: Partial<Omit<DatapathNetwork, 'vni'>> = {}, kernel: Kernel = { gro: true, uso: true }): Site {
  const site = new Site('192.0.2.1', () => undefined, kernel);
  site.apply(overlay({ peers: [peer(PEER)], ...over }));
  return site;
}

/** What the TAP gets for datagrams that arrive together. */
function arrive(site: Site, payloads: readonly Buffer[], from = FROM): Buffer[] {
  site.underlay.in.waiting.push(...payloads.map((payload) => ({ from, to: FROM, payload })));
  return site.receive();
}

/** The TAP gets the same frames in the same order; returns how many each write held. */
function expectJoined(frames: readonly Frame[], kernel?: Kernel, over?: Partial<DatapathNetwork>): number[] {
  const site = newSite(over, kernel);
  const bytes = frames.map((frame) => frame.bytes);
  const written = arrive(
    site,
    bytes.map((frame) => vxlan(frame, VNI)),
  );
  expect(hex(written.flatMap((frame) => framesIn(frame)))).toEqual(hex(bytes));
  expect(site.drops('in')).toEqual({});
  expect(site.count('in', 'received_frames')).toBe(bytes.length);
  expect(site.count('in', 'received_bytes')).toBe(bytes.reduce((total, frame) => total + frame.length, 0));
  return written.map((frame) => framesIn(frame).length);
}

type Layering = (layer: ReturnType<typeof tcp>, index: number) => Frame;
const over4: Layering = (layer, index) => ethernet(ip4(layer, { id: 7 + index }));
const over6: Layering = (layer) => ethernet(ip6(layer));

/** Consecutive segments of one flow; `change` alters one of them. */
function run(
  sizes: readonly number[],
  build: Layering,
  change: (index: number) => Parameters<typeof tcp>[1] = () => ({}),
): Frame[] {
  let sequence = 0xffff_f000;
  return sizes.map((size, index) => {
    const layer = tcp(bytesOf(size, index + 1), { sequence, options: TIMESTAMPS, ...change(index) });
    sequence += size;
    return build(layer, index);
  });
}

const tagged4: Layering = (layer, index) =>
  ethernet(ip4(layer, { id: index, options: bytesOf(8) }), { tags: ['81000064'] });

describe('segments of one TCP flow are joined, and cut again they are what they were', () => {
  test.each([
    ['IPv4', over4],
    ['IPv6', over6],
  ] as const)('%s', (_, build) => {
    for (const kernel of [
      { gro: true, uso: true },
      { gro: false, uso: false },
    ]) {
      expect(expectJoined(run([1000, 1000, 1000, 400], build), kernel)).toEqual([4]);
      expect(expectJoined(run([1000, 400, 1000, 1000, 1001], build), kernel)).toEqual([2, 2, 1]);
      expect(
        expectJoined(
          run(
            Array.from({ length: 100 }, () => 1398),
            build,
          ),
          kernel,
        ),
      ).toEqual(kernel.gro ? [46, 46, 8] : [16, 16, 16, 16, 16, 16, 4]);
      expect(expectJoined(run([1, 1, 1], build), kernel)).toEqual([3]);
    }
  });
  test('more than one writev takes', () => {
    const counts = expectJoined(
      run(
        Array.from({ length: 1100 }, () => 8),
        over4,
      ),
    );
    expect(counts.reduce((total, count) => total + count, 0)).toBe(1100);
    expect(Math.max(...counts)).toBeLessThanOrEqual(1000);
  });
  test('with tags and IPv4 options', () => {
    expect(expectJoined(run([500, 500, 500], tagged4), undefined, { tagged: true })).toEqual([3]);
  });
  test('a push in the middle does not end a run, and is handed on', () => {
    const frames = run([500, 500, 500], over4, (index) => (index === 1 ? { flags: FLAG.ACK | FLAG.PSH } : {}));
    const written = arrive(
      newSite(),
      frames.map((frame) => vxlan(frame.bytes, VNI)),
    );
    const flags = written.flatMap((frame) => framesIn(frame)).map((frame) => frame.readUInt8(14 + 20 + 13));
    expect(written).toHaveLength(1);
    expect(flags).toEqual([FLAG.ACK, FLAG.ACK, FLAG.ACK | FLAG.PSH]);
  });
  test('verified single frames are marked as such', () => {
    const frames = [
      over4(tcp(bytesOf(5)), 0).bytes,
      rawFrame('8892', bytesOf(50)),
      ethernet(ip4(icmp(bytesOf(8)))).bytes,
    ];
    const written = arrive(
      newSite(),
      frames.map((frame) => vxlan(frame, VNI)),
    );
    expect(written.map((frame) => frame.subarray(0, 10).toString('hex'))).toEqual([
      `02${'00'.repeat(9)}`,
      '00'.repeat(10),
      '00'.repeat(10),
    ]);
  });
});

const at1 = (change: Parameters<typeof tcp>[1]) => (index: number) => (index === 1 ? change : {});

describe('a segment that differs in what a cut would copy begins a run of its own', () => {
  test.each<[string, Parameters<typeof tcp>[1]]>([
    ['acknowledgement', { ack: 78 }],
    ['window', { window: 513 }],
    ['flags', { flags: FLAG.ACK | FLAG.FIN }],
    ['reserved bits', { reserved: 1 }],
    ['port', { source: 40_009 }],
    ['timestamp', { options: Buffer.from('0101080a0000000100000003', 'hex') }],
    ['no options', { options: Buffer.alloc(0) }],
    ['sequence: a gap', { sequence: 0xffff_f000 + 501 }],
    ['sequence: twice the same', { sequence: 0xffff_f000 }],
  ])('%s', (_, change) => {
    expect(expectJoined(run([500, 500], over4, at1(change)))).toEqual([1, 1]);
    expect(expectJoined(run([500, 500], over6, at1(change)))).toEqual([1, 1]);
  });
  test.each<[string, Layering]>([
    ['TTL', (layer, index) => ethernet(ip4(layer, { ttl: 64 - index, id: index }))],
    ['ECN', (layer, index) => ethernet(ip4(layer, { tos: index * 3, id: index }))],
    ["don't fragment", (layer, index) => ethernet(ip4(layer, { flags: index === 0 ? 0x4000 : 0, id: index }))],
    ['destination', (layer, index) => ethernet(ip4(layer, { destination: `10.0.0.${index + 2}`, id: index }))],
    [
      'identification that counts on, where fragments are allowed',
      (layer, index) => ethernet(ip4(layer, { flags: 0, id: index * 2 })),
    ],
    ['IPv4 options', (layer, index) => ethernet(ip4(layer, { options: bytesOf(4, index + 1), id: index }))],
    ['hop limit', (layer, index) => ethernet(ip6(layer, { hops: 64 - index }))],
    ['traffic class', (layer, index) => ethernet(ip6(layer, { trafficClass: index * 3 }))],
    ['IPv6 source', (layer, index) => ethernet(ip6(layer, { source: `fd00::${index + 1}` }))],
    ['MAC', (layer, index) => ethernet(ip6(layer), { from: `02000000000${index + 1}` })],
    ['tag', (layer, index) => ethernet(ip4(layer, { id: index }), { tags: index === 0 ? [] : ['81000001'] })],
    ['padding', (layer, index) => ethernet(ip4(layer, { id: index }), { padding: index * 2 })],
    [
      'an extension header',
      (layer) => ethernet(ip6(layer, { extension: { kind: 0, bytes: Buffer.from('0600010400000000', 'hex') } })),
    ],
    ['a fragment', (layer, index) => ethernet(ip4(layer, { flags: 0x2000, id: index }))],
  ])('%s', (_, build) => {
    expect(expectJoined(run([500, 500], build), undefined, { tagged: true })).toEqual([1, 1]);
  });
  test('frames without data, out of order, of two flows by turns', () => {
    expect(expectJoined(run([0, 0], over4))).toEqual([1, 1]);
    const [first, second, third] = run([500, 500, 500], over6);
    if (first && second && third) expect(expectJoined([first, third, second])).toEqual([1, 1, 1]);
    const other = run([500, 500], over6, () => ({ source: 1 }));
    const mixed = [first, other[0], second, other[1]].filter((frame) => frame !== undefined);
    expect(expectJoined(mixed)).toEqual([1, 1, 1, 1]);
  });
  test('another identification does not matter where nothing may fragment (RFC 6864 section 4.1)', () => {
    const frames = run([500, 500, 500], (layer) => ethernet(ip4(layer, { id: 0 })));
    expect(
      arrive(
        newSite(),
        frames.map((frame) => vxlan(frame.bytes, VNI)),
      ),
    ).toHaveLength(1);
  });
});

const run4 = (sizes: readonly number[]): Frame[] =>
  sizes.map((size, id) => ethernet(ip4(udp(bytesOf(size, id + 1)), { id })));

const run6 = (sizes: readonly number[]): Frame[] => sizes.map((size, id) => ethernet(ip6(udp(bytesOf(size, id + 1)))));

describe('datagrams of one UDP flow', () => {
  test.each([
    ['IPv4', run4],
    ['IPv6', run6],
  ] as const)('%s: joined where the TAP takes them', (_, build) => {
    expect(expectJoined(build([700, 700, 20, 700]))).toEqual([3, 1]);
    expect(expectJoined(build(Array.from({ length: 70 }, () => 60)))).toEqual([64, 6]);
    expect(expectJoined(build([700, 700]), { gro: true, uso: false })).toEqual([1, 1]);
    expect(expectJoined(build([0, 0]))).toEqual([1, 1]);
  });
  test('a length that leaves bytes over, no checksum, and padding pass alone', () => {
    const short = [0, 1].map((id) => ethernet(ip4(udp(bytesOf(40), { none: true, length: 20 }), { id })));
    expect(expectJoined(short)).toEqual([1, 1]);
    const none = [0, 1].map((id) => ethernet(ip4(udp(bytesOf(40), { none: true }), { id })));
    expect(expectJoined(none)).toEqual([1, 1]);
    const padded = [0, 1].map((id) => ethernet(ip4(udp(bytesOf(4)), { id }), { padding: 14 }));
    expect(expectJoined(padded)).toEqual([1, 1]);
  });
});

const flip = (frame: Frame, at: number): Frame => {
  const bytes = Buffer.from(frame.bytes);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
  return { ...frame, bytes };
};

describe('what is corrupted is dropped, counted, and joined to nothing', () => {
  test.each<[string, (frame: Frame) => number]>([
    ['IPv4 header', (frame) => frame.network + 8],
    ['TCP checksum', (frame) => frame.checksumAt],
    ['first byte of data', (frame) => frame.payload],
    ['last byte of data', (frame) => frame.bytes.length - 1],
  ])('%s', (_, place) => {
    const frames = run([501, 501, 501], over4);
    const hurt = frames.map((frame, index) => (index === 1 ? flip(frame, place(frame)) : frame));
    const site = newSite();
    const written = arrive(
      site,
      hurt.map((frame) => vxlan(frame.bytes, VNI)),
    );
    expect(hex(written.flatMap((frame) => framesIn(frame)))).toEqual(
      hex([frames[0], frames[2]].map((frame) => frame?.bytes ?? Buffer.alloc(0))),
    );
    expect(site.drops('in')).toEqual({ bad_checksum: 1 });
  });
  test.each([0, 1, 2, 3, 29, 30, 31, 32, 33, 34, 35, 63, 64, 65])(
    'one bit in any byte of UDP with %i bytes, over both',
    (size) => {
      const frames = [ethernet(ip4(udp(bytesOf(size)))), ethernet(ip6(udp(bytesOf(size))))];
      for (const frame of frames) {
        const places = Array.from({ length: size }, (_, at) => frame.payload + at);
        const site = newSite();
        expect(
          arrive(
            site,
            places.map((at) => vxlan(flip(frame, at).bytes, VNI)),
          ),
        ).toEqual([]);
        expect(site.drops('in')).toEqual(size === 0 ? {} : { bad_checksum: size });
      }
    },
  );
});

describe("VXLAN's header", () => {
  const frame = vxlan(over4(tcp(bytesOf(9)), 0).bytes, VNI);
  test('reserved bits are ignored, the I flag is not', () => {
    const noisy = Buffer.from(frame);
    noisy.write('ffaabbcc', 0, 'hex');
    noisy.writeUInt8(0xee, 7);
    const site = newSite();
    expect(arrive(site, [noisy])).toHaveLength(1);
    noisy.writeUInt8(0xf7, 0);
    expect(arrive(site, [noisy])).toHaveLength(0);
    expect(site.drops('in')).toEqual({ bad_flags: 1 });
  });
  test('a run does not pass from one VNI to another', () => {
    const site = newSite();
    site.apply(overlay({ peers: [peer(PEER)] }), overlay({ vni: 8, peers: [peer(PEER)] }));
    const [one, two] = run([500, 500], over4).map((part) => part.bytes);
    if (one && two) expect(arrive(site, [vxlan(one, VNI), vxlan(two, 8)])).toHaveLength(1);
    expect(site.receive(8)).toHaveLength(1);
  });
  test('an overlay inside itself', () => {
    const site = newSite();
    const inner = [ip4(udp(frame, { destination: 4789 })), ip6(udp(frame, { destination: 4789 }))];
    expect(
      arrive(
        site,
        inner.map((packet) => vxlan(ethernet(packet).bytes, VNI)),
      ),
    ).toEqual([]);
    expect(site.drops('in')).toEqual({ nested: 2 });
  });
});

describe('lengths that lie', () => {
  test('cut off anywhere, a frame passes as bytes or is dropped, and is counted once', () => {
    const frames = [
      over4(tcp(bytesOf(40), { options: TIMESTAMPS }), 0),
      over6(tcp(bytesOf(40)), 0),
      ethernet(ip4(udp(bytesOf(40)), { options: bytesOf(40) })),
    ];
    for (const packet of frames.map(({ bytes }) => vxlan(bytes, VNI))) {
      for (let length = 0; length < packet.length; length += 1) {
        const site = newSite({}, { gro: false, uso: true });
        const written = arrive(site, [packet.subarray(0, length)]);
        if (length < 22) expect(site.drops('in')).toEqual({ truncated: 1 });
        else expect(hex(written)).toEqual([`${'00'.repeat(10)}${packet.subarray(8, length).toString('hex')}`]);
      }
    }
  });
  test.each([1, 8, 21])('runts of %i bytes that the kernel joined are runts still', (size) => {
    const site = newSite();
    expect(
      arrive(
        site,
        Array.from({ length: 64 }, () => vxlan(bytesOf(21), VNI).subarray(0, size)),
      ),
    ).toEqual([]);
    expect(site.drops('in')).toEqual({ truncated: 64 });
  });
  test.each([-1, 0, 1, 21, 22, 51, 60_000, 0x7fff_ffff])('UDP_GRO says %i for what it is not', (size) => {
    const coalescer = newCoalescer();
    const underlay = new MemoryUnderlay(coalescer.bytes, PEER, () => undefined, false);
    for (let round = 0; round < 3; round += 1) {
      coalescer.reset();
      const segment = vxlan(ethernet(ip4(udp(bytesOf(1)))).bytes, VNI);
      const payload = Buffer.concat(Array.from({ length: 1284 }, () => segment));
      underlay.waiting.push(...Array.from({ length: 16 }, () => ({ from: FROM, to: FROM, payload })));
      const count = underlay.receive(coalescer.messages, coalescer.messagesMax);
      let counted = 0;
      let intact = true;
      let expected = 0;
      const collect = (): void => {
        coalescer.flush();
        for (let index = 0; index < coalescer.jobCount; index += 1) {
          counted += coalescer.job(index, JOB.frames);
          const at = coalescer.job(index, JOB.ethernet);
          if (size === segment.length) intact &&= segment.includes(Buffer.from(coalescer.bytes.subarray(at, at + 12)));
        }
        coalescer.clearJobs();
      };
      for (let index = 0; index < count; index += 1) {
        setGroSize(coalescer.bytes, coalescer.messages + index * 64, size);
        expected += coalescer.datagrams(index);
        if (!coalescer.hasRoom) collect();
        coalescer.receive(index, 0);
      }
      collect();
      const failed: number[] = [];
      coalescer.takeCounts((_, frames) => failed.push(frames));
      if (size === segment.length) expect(failed).toEqual([]);
      counted += failed.reduce((total, frames) => total + frames, 0);
      expect([counted, intact]).toEqual([expected, true]);
    }
  });
  test('a header that is not whole within the packet is not read: what lies behind is padding', () => {
    for (const rest of ['000012b500100001', '0000000100080001']) {
      const frame = ethernet(ip4(udp(Buffer.alloc(0)))).bytes.subarray(0, 34);
      frame.writeUInt16BE(20, 16);
      frame.writeUInt16BE(0, 24);
      frame.writeUInt16BE(internetChecksum(frame.subarray(14, 34)), 24);
      const site = newSite();
      expect(arrive(site, [vxlan(Buffer.concat([frame, Buffer.from(rest, 'hex')]), VNI)])).toHaveLength(1);
    }
  });
  test('a UDP datagram longer than its packet is corrupt, even if the padding makes its checksum fit', () => {
    const frame = ethernet(ip4(udp(bytesOf(16)))).bytes;
    frame.writeUInt16BE(28 + 10, 16);
    frame.writeUInt16BE(0, 24);
    frame.writeUInt16BE(internetChecksum(frame.subarray(14, 34)), 24);
    const site = newSite();
    expect(arrive(site, [vxlan(frame, VNI)])).toEqual([]);
    expect(site.drops('in')).toEqual({ bad_checksum: 1 });
  });
  test('the kernel cut a message: nothing of it is a frame', () => {
    const site = newSite({}, { gro: false, uso: true });
    expect(arrive(site, [Buffer.alloc(70_000, 8)])).toEqual([]);
    expect(site.drops('in')).toEqual({ truncated: 1 });
  });
});
