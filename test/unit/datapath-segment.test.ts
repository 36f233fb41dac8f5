import { describe, expect, test } from '@jest/globals';
import { newSegmenter, overlay, peer, sentOf, Site, VNI } from './support/datapath.ts';
import * as build from './support/frames.ts';
import {
  bytesOf,
  ethernet,
  FLAG,
  GSO,
  icmp,
  ip4,
  ip6,
  plain,
  superFrame,
  tcp,
  TIMESTAMPS,
  udp,
  unfinished,
} from './support/frames.ts';
import { framesIn, vxlan } from './support/segment-oracle.ts';

const hex = (frames: readonly Buffer[]): string[] => frames.map((frame) => frame.toString('hex'));
const TAG = '81000064';

/** The engine's packets are those of the oracle, byte for byte. */
function expectCut(tapFrames: readonly Buffer[], over: Parameters<typeof sentOf>[1] = {}): Buffer[] {
  const expected = tapFrames.flatMap((frame) => framesIn(frame)).map((frame) => vxlan(frame, VNI));
  const { packets, site } = sentOf(tapFrames, over);
  expect(hex(packets)).toEqual(hex(expected));
  expect(site.drops('out')).toEqual({});
  expect(site.count('out', 'sent_frames')).toBe(expected.length);
  expect(site.count('out', 'sent_bytes')).toBe(expected.reduce((total, packet) => total + packet.length - 8, 0));
  return packets;
}

const flags = FLAG.ACK | FLAG.PSH | FLAG.FIN | FLAG.CWR;
const withTimestamps = { flags, options: TIMESTAMPS };

describe('a super-frame is cut into the frames that it stands for', () => {
  test.each([1, 2, 100, 1397, 1398, 1399, 2796, 2797, 20_000, 63_000])('TCP over IPv4, %i bytes', (length) => {
    const layer = tcp(bytesOf(length), withTimestamps);
    expectCut([superFrame(ethernet(ip4(layer)), GSO.TCPV4, 1398)]);
  });
  test.each([1, 1378, 2757, 63_000])('TCP over IPv6, %i bytes', (length) => {
    expectCut([superFrame(ethernet(ip6(tcp(bytesOf(length), withTimestamps))), GSO.TCPV6, 1378)]);
  });
  test.each([1, 1400, 1401, 20_001])('UDP over IPv4 and IPv6, %i bytes', (length) => {
    const layer = udp(bytesOf(length));
    expectCut([superFrame(ethernet(ip4(layer)), GSO.UDP_L4, 1400), superFrame(ethernet(ip6(layer)), GSO.UDP_L4, 1400)]);
  });
  test('the sequence number and the identification pass their ends', () => {
    const layer = tcp(bytesOf(9000), { sequence: 0xffff_f000 });
    expectCut([superFrame(ethernet(ip4(layer, { id: 0xfffe })), GSO.TCPV4, 1400)]);
  });
  test('with IPv4 options, with a routing header, with one and two tags', () => {
    const layer = tcp(bytesOf(5000), withTimestamps);
    const extension = { kind: 0, bytes: Buffer.from('0600010400000000', 'hex') };
    expectCut([superFrame(ethernet(ip4(layer, { options: bytesOf(40) })), GSO.TCPV4, 1300)]);
    expectCut([superFrame(ethernet(ip6(layer, { extension })), GSO.TCPV6, 1300)]);
    expectCut([superFrame(ethernet(ip4(layer), { tags: [TAG] }), GSO.TCPV4, 1300)], { tagged: true });
    expectCut([superFrame(ethernet(ip6(layer), { tags: ['88a80001', TAG] }), GSO.TCPV6, 1300)], { tagged: true });
  });
  test('FIN and PSH stand on the last alone, CWR on the first alone', () => {
    const packets = expectCut([superFrame(ethernet(ip4(tcp(bytesOf(300), { flags }))), GSO.TCPV4, 100)]);
    expect(packets.map((packet) => packet.readUInt8(8 + 14 + 20 + 13))).toEqual([
      FLAG.ACK | FLAG.CWR,
      FLAG.ACK,
      FLAG.ACK | FLAG.PSH | FLAG.FIN,
    ]);
  });
  test('more than 64 segments, and more than 65507 bytes, make several messages', () => {
    expectCut([superFrame(ethernet(ip4(tcp(bytesOf(6500)))), GSO.TCPV4, 48)]);
    expectCut([superFrame(ethernet(ip4(tcp(bytesOf(65_000)))), GSO.TCPV4, 1400)]);
    expectCut([superFrame(ethernet(ip4(tcp(bytesOf(65_000)))), GSO.TCPV4, 30_000)], { mtu: 40_000 });
  });
});

test('more packets than the memory holds at once are sent in parts, none lost', () => {
  const frame = superFrame(ethernet(ip4(tcp(bytesOf(63_000), withTimestamps))), GSO.TCPV4, 31);
  expectCut(Array.from({ length: 9 }, () => frame));
  const large = superFrame(ethernet(ip4(tcp(bytesOf(63_000)))), GSO.TCPV4, 1398);
  expectCut(Array.from({ length: 40 }, () => large));
});

describe('a single frame', () => {
  test('passes as it is: IPv4, IPv6, ARP, ICMP, a fragment, with padding', () => {
    const fragment = ethernet(ip4(udp(bytesOf(100)), { flags: 0x2000 }));
    const frames = [ip4(tcp(bytesOf(10))), ip6(udp(bytesOf(11))), ip4(icmp(bytesOf(64)))].map((inner) =>
      ethernet(inner),
    );
    const all = [...frames, fragment, ethernet(ip4(tcp(bytesOf(0))), { padding: 6 })].map(({ bytes }) => plain(bytes));
    expectCut([...all, plain(build.rawFrame('0806', bytesOf(28))), plain(build.rawFrame('8892', bytesOf(1450)))]);
  });
  test.each([0, 1, 2, 31, 32, 33, 1378])('has its checksum finished, %i bytes', (length) => {
    const layers = [tcp(bytesOf(length), { options: TIMESTAMPS }), udp(bytesOf(length))];
    for (const frame of layers.flatMap((layer) => [ethernet(ip4(layer)), ethernet(ip6(layer))])) {
      expectCut([unfinished(frame)]);
      expect(hex(framesIn(unfinished(frame)))).toEqual(hex([frame.bytes]));
    }
  });
  test('as long as the MTU passes, a byte more is too big', () => {
    expectCut([plain(ethernet(ip4(udp(bytesOf(1422)))).bytes)]);
    const { packets, site } = sentOf([plain(ethernet(ip4(udp(bytesOf(1423)))).bytes)]);
    expect([packets, site.drops('out')]).toEqual([[], { too_big: 1 }]);
  });
  test('a tag is not part of the MTU, whatever stands behind it', () => {
    const frames = [
      ethernet(ip4(udp(bytesOf(1422))), { tags: [TAG] }).bytes,
      build.rawFrame('8892', bytesOf(1450), { tags: [TAG] }),
    ];
    expectCut(
      frames.map((frame) => plain(frame)),
      { tagged: true },
    );
  });
});

const change = (from: Buffer, write: (bytes: Buffer) => unknown): Buffer => {
  const bytes = Buffer.from(from);
  write(bytes);
  return bytes;
};

const dropsOf = (bytes: Buffer): Record<string, number> => {
  const { packets, site } = sentOf([bytes]);
  expect(packets).toEqual([]);
  return site.drops('out');
};

describe('what cannot be carried is dropped and counted', () => {
  const big = superFrame(ethernet(ip4(tcp(bytesOf(3000)))), GSO.TCPV4, 1400);
  test.each<[string, (bytes: Buffer) => unknown]>([
    ['no size', (bytes) => bytes.writeUInt16LE(0, 4)],
    ['UFO, which no TAP is asked for', (bytes) => bytes.writeUInt8(3, 1)],
    ['a checksum before the network header', (bytes) => bytes.writeUInt16LE(10, 6)],
    ['a checksum inside the network header', (bytes) => bytes.writeUInt16LE(30, 6)],
    ['a checksum that starts behind the network header', (bytes) => bytes.writeUInt16LE(38, 6)],
    ['a checksum past the end', (bytes) => bytes.writeUInt16LE(0xffff, 6)],
    ['a transport header past the end', (bytes) => bytes.writeUInt16LE(bytes.length - 15, 6)],
    ['a TCP header of 16 bytes', (bytes) => bytes.writeUInt8(0x40, 10 + 34 + 12)],
    ['an IP packet longer than the frame', (bytes) => bytes.writeUInt16BE(0xffff, 10 + 16)],
    ['the other family', (bytes) => bytes.writeUInt8(GSO.TCPV6, 1)],
    ['more segments than there is room for', (bytes) => bytes.writeUInt16LE(1, 4)],
  ])('%s: malformed', (_, write) => {
    expect(Object.keys(dropsOf(change(big, write)))).toEqual(['malformed']);
  });
  test('IPv6 whose transport lies in the network header', () => {
    const six = superFrame(ethernet(ip6(tcp(bytesOf(3000)))), GSO.TCPV6, 1400);
    expect(dropsOf(change(six, (bytes) => bytes.writeUInt16LE(14 + 32, 6)))).toEqual({ malformed: 3 });
  });
  test('an unfinished checksum whose place is past the end, or before the packet', () => {
    const single = unfinished(ethernet(ip4(udp(bytesOf(20)))));
    expect(dropsOf(change(single, (bytes) => bytes.writeUInt16LE(0xffff, 8)))).toEqual({ malformed: 1 });
    expect(dropsOf(change(single, (bytes) => bytes.writeUInt16LE(bytes.length - 10 - 34 - 1, 8)))).toEqual({
      malformed: 1,
    });
    expect(dropsOf(change(single, (bytes) => bytes.writeUInt16LE(0, 6)))).toEqual({ malformed: 1 });
  });
  test('a super-frame counts as the frames that it stands for', () => {
    const tooBig = superFrame(ethernet(ip4(tcp(bytesOf(3200)))), GSO.TCPV4, 1600);
    expect(dropsOf(tooBig)).toEqual({ too_big: 2 });
    expect(dropsOf(superFrame(ethernet(ip4(udp(bytesOf(4000), { destination: 4789 }))), GSO.UDP_L4, 1000))).toEqual({
      nested: 4,
    });
  });
  test('an overlay inside itself', () => {
    for (const inner of [ip4(udp(bytesOf(60), { destination: 4789 })), ip6(udp(bytesOf(60), { destination: 4789 }))])
      expect(dropsOf(plain(ethernet(inner).bytes))).toEqual({ nested: 1 });
    expectCut([plain(ethernet(ip4(udp(bytesOf(60), { source: 4789 }))).bytes)]);
  });
  test('headers longer than there is room for: malformed', () => {
    const extension = { kind: 0, bytes: Buffer.alloc(256) };
    extension.bytes.writeUInt8(31, 1);
    const layer = tcp(bytesOf(3000));
    expect(dropsOf(superFrame(ethernet(ip6(layer, { extension })), GSO.TCPV6, 1000))).toEqual({ malformed: 3 });
  });
  test('headers that are not whole are not read', () => {
    // What lies behind the IP packet looks like the rest of a header: a port of VXLAN's, an MSS option.
    const [behindUdp, behindTcp] = [Buffer.from('000012b500100001', 'hex'), Buffer.from('0204ffff'.repeat(10), 'hex')];
    const cutUdp = ethernet(ip4(udp(Buffer.alloc(0)))).bytes.subarray(0, 34);
    cutUdp.writeUInt16BE(20, 16);
    const data = { flags: FLAG.SYN, options: Buffer.alloc(4, 1) };
    expectCut([plain(ethernet(ip4(tcp(behindTcp, data))).bytes)]);
    const syn = ethernet(ip4(tcp(Buffer.alloc(0), { flags: FLAG.SYN }))).bytes;
    syn.writeUInt8(0xf0, 34 + 12);
    for (const frame of [Buffer.concat([cutUdp, behindUdp]), Buffer.concat([syn, behindTcp])])
      expectCut([plain(frame)]);
  });
  test('a frame shorter than its headers', () => {
    for (let length = 1; length < 24; length += 1) expect(dropsOf(Buffer.alloc(length, 2))).toEqual({ truncated: 1 });
  });
});

const mssOption = (value: number): string => `0204${value.toString(16).padStart(4, '0')}`;
const syn = (options: string): ReturnType<typeof tcp> =>
  tcp(Buffer.alloc(0), { flags: FLAG.SYN, options: Buffer.from(options, 'hex') });

describe("a SYN's MSS is told down to what the network passes", () => {
  test.each([
    ['at an even place', (mss: number) => `${mssOption(mss)}01010101`],
    ['at an odd place', (mss: number) => `01${mssOption(mss)}010101`],
    ['behind others', (mss: number) => `01030307${mssOption(mss)}`],
    ['at the very end, at an odd place', (mss: number) => `0303070402${'01'.repeat(2)}${mssOption(mss)}01`],
  ])('%s', (_, options) => {
    for (const [mss, told] of [
      [1460, 1410],
      [1410, 1410],
      [536, 536],
      [0xffff, 1410],
    ] as const) {
      const [before, after] = [ethernet(ip4(syn(options(mss)))), ethernet(ip4(syn(options(told))))];
      expect(hex(sentOf([plain(before.bytes)]).packets)).toEqual(hex([vxlan(after.bytes, VNI)]));
      expect(hex(sentOf([unfinished(before)]).packets)).toEqual(hex([vxlan(after.bytes, VNI)]));
    }
  });
  test('over IPv6, and behind a tag', () => {
    const [before, after] = [syn(mssOption(1440)), syn(mssOption(1390))];
    expect(hex(sentOf([plain(ethernet(ip6(before)).bytes)]).packets)).toEqual(
      hex([vxlan(ethernet(ip6(after)).bytes, VNI)]),
    );
    const tagged = [ip4(before), ip4(syn(mssOption(1410)))].map((inner) => ethernet(inner, { tags: [TAG] }).bytes);
    const { packets } = sentOf(
      tagged.slice(0, 1).map((bytes) => plain(bytes)),
      { tagged: true },
    );
    expect(hex(packets)).toEqual(hex(tagged.slice(1).map((bytes) => vxlan(bytes, VNI))));
  });
  test('and to what the way to its peer passes', () => {
    const sent: Buffer[] = [];
    const site = new Site('192.0.2.1', ({ payload }) => sent.push(Buffer.from(payload)));
    for (const [path, told] of [
      [1300, 1260],
      [9000, 1410],
    ] as const) {
      site.paths.set('192.0.2.2', path);
      site.apply(overlay({ peers: [peer('192.0.2.2')] }));
      site.send([plain(ethernet(ip4(syn(mssOption(1460)))).bytes)]);
      expect(hex(sent.splice(0))).toEqual(hex([vxlan(ethernet(ip4(syn(mssOption(told)))).bytes, VNI)]));
    }
  });
  test('but not in other segments, and options that lie change nothing', () => {
    for (const options of [
      '0000020405b40000',
      '0200020405b40000',
      '0203020405b40000',
      '02ff000000000000',
      '0101010101010102',
    ])
      expectCut([plain(ethernet(ip4(syn(options))).bytes)]);
    expectCut([plain(ethernet(ip4(tcp(bytesOf(4), { options: Buffer.from(mssOption(9000), 'hex') }))).bytes)]);
  });
});

const sizes = (site: Site): number[] =>
  Array.from({ length: site.segmenter.messageCount }, (_, index) => site.segmenter.packetsOf(index));

const small = (port: number, length = 18): Buffer => plain(ethernet(ip4(udp(bytesOf(length), { source: port }))).bytes);

const socketsOf = (frame: Buffer): number => {
  const segmenter = newSegmenter();
  segmenter.bytes.set(frame, segmenter.slots);
  segmenter.encapsulate(segmenter.slots, frame.length, VNI, 0, 1450);
  return segmenter.socketOf(0);
};

function packed(frames: readonly Buffer[]): number[] {
  const site = new Site('192.0.2.1', () => undefined);
  for (const frame of frames) {
    const at = site.segmenter.slots;
    site.segmenter.bytes.set(frame, at);
    site.segmenter.encapsulate(at, frame.length, VNI, 0, 1450);
  }
  return sizes(site);
}

describe('messages', () => {
  /** Packets in each message that the frames make. */
  test('frames of one size and flow go in one, a shorter one ends it, a longer one begins anew', () => {
    expect(packed([small(1), small(1), small(1, 10), small(1), small(1, 30)])).toEqual([3, 1, 1]);
    expect(packed(Array.from({ length: 11 }, () => small(1)))).toEqual([11]);
  });
  test('flows that leave from different sockets share none', () => {
    const ports = Array.from({ length: 20 }, (_, port) => port);
    const changes = ports.filter((port) => port > 0 && socketsOf(small(port)) !== socketsOf(small(port - 1)));
    expect(packed(ports.map((port) => small(port)))).toHaveLength(1 + changes.length);
  });
  test('a super-frame goes on in the message of the one before', () => {
    const frame = superFrame(ethernet(ip4(tcp(bytesOf(2800)))), GSO.TCPV4, 1400);
    expect(packed([frame, frame])).toEqual([4]);
    expect(packed([superFrame(ethernet(ip4(tcp(bytesOf(6500)))), GSO.TCPV4, 48)])).toEqual([64, 64, 8]);
    expect(packed([superFrame(ethernet(ip4(tcp(bytesOf(65_000)))), GSO.TCPV4, 1400)])).toEqual([44, 3]);
  });
  test('a flow leaves from one socket, and flows from all of them', () => {
    const flow = { source: 4000 };
    const first = socketsOf(plain(ethernet(ip4(tcp(bytesOf(10), flow))).bytes));
    expect(socketsOf(unfinished(ethernet(ip4(tcp(bytesOf(999), { ...flow, sequence: 5 }), { id: 9, tos: 2 }))))).toBe(
      first,
    );
    expect(socketsOf(superFrame(ethernet(ip4(tcp(bytesOf(9000), flow))), GSO.TCPV4, 1400))).toBe(first);
    expect(new Set(Array.from({ length: 100 }, (_, port) => socketsOf(small(port)))).size).toBe(8);
    const six = Array.from({ length: 100 }, (_, host) =>
      plain(ethernet(ip6(icmp(bytesOf(8)), { source: `fd00::${host}` })).bytes),
    );
    expect(new Set(six.map((frame) => socketsOf(frame))).size).toBe(8);
  });
});

const ipOf = (index: number): string => `198.51.${100 + (index >> 8)}.${index & 0xff}`;

function flooded(frames: readonly Buffer[], count: number): Map<string, Buffer[]> {
  const got = new Map<string, Buffer[]>();
  const site = new Site('192.0.2.1', ({ to, payload }) => {
    const key = Buffer.from(to.subarray(4, 8)).join('.');
    got.set(key, [...(got.get(key) ?? []), Buffer.from(payload)]);
  });
  site.apply(overlay({ peers: Array.from({ length: count }, (_, index) => peer(ipOf(index))) }));
  site.send(frames);
  expect(site.drops('out')).toEqual({});
  return got;
}

describe('to everybody in the network', () => {
  const PEERS = 1500;
  test.each([1, 3, 700, PEERS])(
    'each of %i peers gets each frame once, whole, also where the messages do not suffice',
    (count) => {
      const broadcast = { to: 'ffffffffffff' };
      const frames = [
        unfinished(ethernet(ip4(udp(bytesOf(100))), broadcast)),
        superFrame(ethernet(ip4(udp(bytesOf(5000))), broadcast), GSO.UDP_L4, 900),
        unfinished(ethernet(ip6(udp(bytesOf(101))), broadcast)),
        plain(build.rawFrame('0806', bytesOf(28), broadcast)),
      ];
      const expected = hex(frames.flatMap((frame) => framesIn(frame)).map((frame) => vxlan(frame, VNI))).toSorted();
      const got = flooded(frames, count);
      expect(got.size).toBe(count);
      const wrong = [...got.values()].filter((packets) => hex(packets).toSorted().join() !== expected.join());
      expect(wrong).toEqual([]);
    },
  );

  test('IPv4 and IPv6 peers each have a name of their own length', () => {
    const lengths: number[] = [];
    const site = new Site('192.0.2.1', ({ to }) => lengths.push(to.length));
    site.apply(overlay({ peers: [peer('198.51.100.1'), peer('2001:db8::1'), peer('198.51.100.2')] }));
    site.send([plain(build.rawFrame('0806', bytesOf(28), { to: 'ffffffffffff' }))]);
    expect(lengths).toEqual([16, 28, 16]);
  });
});
