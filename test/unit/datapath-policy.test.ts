import { describe, expect, jest, test } from '@jest/globals';
import { ERRNO } from '../../src/datapath/ports.ts';
import { AGEING_S, LEARNED_MAX, Learning } from '../../src/datapath/learning.ts';
import { sockaddr } from '../../src/datapath/sockaddr.ts';
import { overlay, peer, PORT, sentOf, Site, VNI } from './support/datapath.ts';
import { bytesOf, ethernet, GSO, HERE, ip4, plain, rawFrame, superFrame, tcp, THERE, udp } from './support/frames.ts';
import { vxlan } from './support/segment-oracle.ts';
import { mac } from './support/values.ts';

const PEER = '192.0.2.2';
const OTHER = '192.0.2.3';
const frameTo = (to: string, from = HERE): Buffer => rawFrame('0806', bytesOf(28), { to, from });

function newSite(...peers: Parameters<typeof overlay>[0]['peers'] & object): Site {
  const site = new Site('192.0.2.1', () => undefined);
  site.apply(overlay({ peers: peers.length > 0 ? peers : [peer(PEER)] }));
  return site;
}

/** Frames from a VTEP; returns how many writes the TAP got. */
function arrive(site: Site, frames: readonly Buffer[], ip = PEER, vni = VNI): number {
  const from = sockaddr({ ip, port: 50_000 });
  site.underlay.in.waiting.push(...frames.map((frame) => ({ from, to: from, payload: vxlan(frame, vni) })));
  return site.receive(vni).length;
}

describe('the way in lets through', () => {
  test.each<[string, Buffer, string]>([
    ['a source with the group bit', frameTo(THERE, '030000000001'), 'group_source'],
    ['no source', frameTo(THERE, '000000000000'), 'group_source'],
    ['spanning tree', frameTo('0180c2000000'), 'link_local'],
    ['LLDP', frameTo('0180c200000e'), 'link_local'],
    ['a tag', rawFrame('0806', bytesOf(28), { tags: ['81000001'] }), 'inner_vlan'],
    ['a service tag', rawFrame('0806', bytesOf(28), { tags: ['88a80001'] }), 'inner_vlan'],
  ])('not %s, and neither does the way out', (_, frame, reason) => {
    const site = newSite();
    expect(arrive(site, [frame, frame])).toBe(0);
    expect(site.drops('in')).toEqual({ [reason]: 2 });
    const { packets, site: out } = sentOf([plain(frame)]);
    expect([packets, out.drops('out')]).toEqual([[], { [reason]: 1 }]);
  });
  test('what bridges pass: addresses beside the reserved ones, tags where the network has them', () => {
    const site = newSite();
    expect(arrive(site, [frameTo('0180c2000010'), frameTo('0180c3000000'), frameTo('ffffffffffff')])).toBe(3);
    site.apply(overlay({ tagged: true, peers: [peer(PEER)] }));
    expect(arrive(site, [rawFrame('0806', bytesOf(28), { tags: ['81000001'] })])).toBe(1);
  });
  test('nothing for a network that it does not have, nothing from a stranger', () => {
    const site = newSite();
    expect(arrive(site, [frameTo(THERE)], OTHER)).toBe(0);
    expect(site.drops('in')).toEqual({ unknown_source: 1 });
    expect(arrive(site, [frameTo(THERE)], PEER, 8)).toBe(0);
    expect(site.drops('in')).toEqual({ unknown_source: 1, unknown_vni: 1 });
  });
  test('a peer only into the networks that it is in, by its address alone', () => {
    const site = newSite();
    site.apply(overlay({ peers: [peer(PEER)] }), overlay({ vni: 8, peers: [peer(OTHER)] }));
    expect([arrive(site, [frameTo(THERE)], OTHER), arrive(site, [frameTo(THERE)], OTHER, 8)]).toEqual([0, 1]);
    expect(site.drops('in')).toEqual({ unknown_source: 1 });
  });
  test('both of two peers that share an address, each into its own network', () => {
    const site = newSite();
    const [first, second] = [peer(PEER, { port: 1 }), peer(PEER, { port: 2, learned: true })];
    site.apply(overlay({ peers: [first] }), overlay({ vni: 8, peers: [second] }), overlay({ vni: 9, peers: [second] }));
    expect([VNI, 8, 9].map((vni) => arrive(site, [frameTo(THERE)], PEER, vni))).toEqual([1, 1, 1]);
    // and what is learned from the second goes back to the second
    const [number] = site.out(8).flood;
    expect([...site.out(8).learned.entries()].map(({ value }) => value)).toEqual([number]);
    expect([...site.out(VNI).learned.entries()]).toEqual([]);
  });
  test.each<[number, string]>([
    [ERRNO.EAGAIN, 'queue_full'],
    [ERRNO.ENOBUFS, 'queue_full'],
    [ERRNO.EIO, 'tap_down'],
    [ERRNO.EBADFD, 'tap_down'],
    [ERRNO.EINVAL, 'malformed'],
    [1, 'host_error'],
  ])('what its TAP takes: error %i counts as %s', (errno, reason) => {
    const site = newSite();
    site.taps.get(VNI)?.in.refusals.push(-errno);
    const run = [0, 1, 2].map((index) => ethernet(ip4(tcp(bytesOf(9), { sequence: index * 9 }))).bytes);
    expect(arrive(site, [...run, frameTo(THERE)])).toBe(1);
    expect(site.drops('in')).toEqual({ [reason]: 3 });
    expect(site.count('in', 'received_frames')).toBe(1);
  });
});

const destinations = (site: Site, frames: readonly Buffer[], sent: string[]): string[] => {
  sent.length = 0;
  site.send(frames.map((frame) => plain(frame)));
  return sent;
};

function listening(): { site: Site; sent: string[] } {
  const sent: string[] = [];
  const site = new Site('192.0.2.1', ({ to }) => sent.push(Buffer.from(to.subarray(4, 8)).join('.')));
  return { site, sent };
}

describe('the way out', () => {
  const KNOWN = '020000000099';
  test('sends to the one that has the MAC, and to all where nobody is known', () => {
    const { site, sent } = listening();
    site.apply(overlay({ peers: [peer(PEER), peer(OTHER, { macs: [mac('02:00:00:00:00:99')] })] }));
    expect(destinations(site, [frameTo(KNOWN)], sent)).toEqual([OTHER]);
    expect(destinations(site, [frameTo(THERE)], sent)).toEqual([PEER, OTHER]);
    expect(destinations(site, [frameTo('ffffffffffff')], sent)).toEqual([PEER, OTHER]);
  });
  test('sends to the group where there is one, and to nobody where there is none', () => {
    const { site, sent } = listening();
    site.apply(overlay({ group: '239.1.1.1', peers: [peer(PEER), peer(OTHER)] }));
    expect(destinations(site, [frameTo('ffffffffffff')], sent)).toEqual(['239.1.1.1']);
    // A static VTEP need not be in the group.
    site.apply(overlay({ group: '239.1.1.1', peers: [peer(PEER), peer(OTHER, { learned: true })] }));
    expect(destinations(site, [frameTo('ffffffffffff')], sent)).toEqual(['239.1.1.1', OTHER]);
    site.apply(overlay({ peers: [] }));
    expect(destinations(site, [frameTo('ffffffffffff')], sent)).toEqual([]);
    site.send([superFrame(ethernet(ip4(udp(bytesOf(300))), { to: 'ffffffffffff' }), GSO.UDP_L4, 100)]);
    expect(site.drops('out')).toEqual({ no_peer: 4 });
  });
  test('passes no more broadcast, unknown and multicast frames than the limit', () => {
    const { site, sent } = listening();
    site.apply(overlay({ bumPps: 10, peers: [peer(OTHER, { macs: [mac('02:00:00:00:00:99')] })] }));
    const storm = Array.from({ length: 15 }, (_, index) => frameTo(index % 2 ? THERE : '01005e000001'));
    expect(destinations(site, storm, sent)).toHaveLength(10);
    expect(destinations(site, [frameTo(KNOWN)], sent)).toHaveLength(1);
    site.out().storm.tick(500);
    expect(destinations(site, storm, sent)).toHaveLength(5);
    site.out().storm.tick(60_000);
    expect(destinations(site, storm, sent)).toHaveLength(10);
    expect(site.drops('out')).toEqual({ storm: 5 + 10 + 5 });
  });
  test.each<[number, string]>([
    [ERRNO.EAGAIN, 'queue_full'],
    [ERRNO.ENOBUFS, 'queue_full'],
    [ERRNO.EMSGSIZE, 'too_big'],
    [ERRNO.EHOSTUNREACH, 'unreachable'],
    [ERRNO.ECONNREFUSED, 'unreachable'],
    [ERRNO.EBADFD, 'host_error'],
  ])('error %i of the underlay counts as %s, frame by frame', (errno, reason) => {
    const { packets, site } = sentOf([]);
    site.underlay.out.refusals.push(-errno);
    const frames = [9, 30, 9].map((length) => plain(ethernet(ip4(udp(bytesOf(length)))).bytes));
    const big = superFrame(ethernet(ip4(tcp(bytesOf(500)))), GSO.TCPV4, 100);
    site.send([big, ...frames]);
    expect(site.drops('out')).toEqual({ [reason]: 5 });
    expect(packets).toHaveLength(3);
    expect(site.count('out', 'sent_frames')).toBe(3);
    site.underlay.out.refusals.push(-ERRNO.EINTR);
    site.send(frames);
    expect(packets).toHaveLength(6);
  });

  test('a packet that is too big for its way is told; so is one that older kernels call invalid', () => {
    const site = new Site('192.0.2.1', () => undefined);
    site.apply(
      overlay({ peers: [peer('192.0.2.8'), peer('192.0.2.9', { macs: [mac(THERE.replaceAll(/..(?!$)/g, '$&:'))] })] }),
    );
    const single = plain(ethernet(ip4(udp(bytesOf(9)))).bytes);
    const big = superFrame(ethernet(ip4(tcp(bytesOf(500)))), GSO.TCPV4, 100);
    for (const [errno, frame] of [
      [ERRNO.EMSGSIZE, single],
      [ERRNO.EINVAL, big],
      [ERRNO.EINVAL, single],
    ] as const) {
      site.underlay.out.refusals.push(-errno);
      site.send([frame]);
    }
    expect(site.drops('out')).toEqual({ too_big: 6, host_error: 1 });
    expect(site.tooBig).toBe(2);
  });

  test('goes on packet by packet where the kernel refuses to cut', () => {
    const { packets, site } = sentOf([]);
    const big = superFrame(ethernet(ip4(tcp(bytesOf(500)))), GSO.TCPV4, 100);
    site.underlay.out.refusals.push(-ERRNO.EIO);
    site.send([big]);
    expect(site.drops('out')).toEqual({ host_error: 5 });
    site.send([big, big]);
    expect(packets).toHaveLength(10);
    expect([site.count('out', 'sent_frames'), site.count('out', 'sent_messages')]).toEqual([10, 10]);
  });
});

const learnedBy = (site: Site): number => site.in().learning.size;
const macOf = (index: number): string => `0200${index.toString(16).padStart(8, '0')}`;

describe('learning', () => {
  test('from foreign VTEPs alone; what is learned is sent to, until it moves, ages or its peer goes', () => {
    const sent: string[] = [];
    const site = new Site('192.0.2.1', ({ to }) => sent.push(Buffer.from(to.subarray(4, 8)).join('.')));
    const foreign = [peer(PEER, { learned: true }), peer(OTHER, { learned: true }), peer('192.0.2.4')];
    const goesTo = (): string[] => {
      sent.length = 0;
      site.send([plain(frameTo(macOf(1)))]);
      return [...sent];
    };
    site.apply(overlay({ peers: foreign }));
    arrive(site, [frameTo(THERE, macOf(1))], '192.0.2.4');
    expect([learnedBy(site), goesTo().length]).toEqual([0, 3]);
    arrive(site, [frameTo(THERE, macOf(1))], PEER);
    expect(goesTo()).toEqual([PEER]);
    arrive(site, [frameTo(THERE, macOf(1))], OTHER);
    expect(goesTo()).toEqual([OTHER]);
    site.in().learning.age(AGEING_S);
    expect(goesTo()).toEqual([OTHER]);
    arrive(site, [frameTo(THERE, macOf(1))], OTHER);
    site.in().learning.age(2 * AGEING_S);
    expect(goesTo()).toEqual([OTHER]);
    site.in().learning.age(2 * AGEING_S + 1);
    expect([learnedBy(site), goesTo().length]).toEqual([0, 3]);
    arrive(site, [frameTo(THERE, macOf(1))], OTHER);
    // the other's number rests: whoever comes does not inherit what was learned
    site.apply(overlay({ peers: [peer(PEER, { learned: true }), peer('192.0.2.9', { learned: true })] }));
    expect([learnedBy(site), goesTo()]).toEqual([0, [PEER, '192.0.2.9']]);
  });
  test('a record comes before what was learned, and forgets it', () => {
    const site = newSite(peer(PEER, { learned: true }));
    arrive(site, [frameTo(THERE, macOf(1)), frameTo(THERE, macOf(2))]);
    expect(learnedBy(site)).toBe(2);
    const record = peer(OTHER, { macs: [mac('02:00:00:00:00:01')] });
    site.apply(overlay({ peers: [record, peer(PEER, { learned: true })] }));
    expect(learnedBy(site)).toBe(1);
    arrive(site, [frameTo(THERE, macOf(1))]);
    expect(learnedBy(site)).toBe(1);
  });
  test('takes no more than the limit; who is in stays', () => {
    const site = newSite(peer(PEER, { learned: true }));
    for (let index = 0; index < LEARNED_MAX + 100; index += 1) arrive(site, [frameTo(THERE, macOf(index))]);
    expect([learnedBy(site), site.out().learned.size]).toEqual([LEARNED_MAX, LEARNED_MAX]);
    expect(site.count('in', 'received_frames')).toBe(LEARNED_MAX + 100);
    site.in().learning.forget(0x0200, 5);
    arrive(site, [frameTo(THERE, macOf(LEARNED_MAX + 7))]);
    expect(learnedBy(site)).toBe(LEARNED_MAX);
  });
  test('a MAC that flaps moves at once, and then by the tick; all its frames pass, and others move meanwhile', () => {
    const site = newSite(peer(PEER, { learned: true }), peer(OTHER, { learned: true }));
    const from = (index: number, ip: string): void => void arrive(site, [frameTo(THERE, macOf(index))], ip);
    const at = (index: number): number => site.out().learned.get(0x0200, index);
    from(1, PEER);
    from(2, PEER);
    const [first, other] = [at(1), at(2)];
    from(1, OTHER);
    const second = at(1);
    expect(second).not.toBe(first);
    const told = jest.spyOn(site.out().learned, 'set');
    for (let round = 0; round < 100; round += 1) for (const ip of [PEER, OTHER]) from(1, ip);
    expect([told.mock.calls.length, at(1), other]).toEqual([0, second, first]);
    from(2, OTHER);
    expect([told.mock.calls.length, at(2)]).toEqual([1, second]);
    site.in().learning.tick();
    from(1, PEER);
    expect([told.mock.calls.length, at(1)]).toEqual([2, second]);
    site.in().learning.tick();
    expect([told.mock.calls.length, at(1)]).toEqual([3, first]);
    site.in().learning.tick();
    expect(site.in().learning.owes).toBe(false);
    expect(site.count('in', 'received_frames')).toBe(205);
  });
  test('whoever forges a MAC once in a while does not keep it from its owner', () => {
    const site = newSite(peer(PEER, { learned: true }), peer(OTHER, { learned: true }));
    const from = (ip: string): void => void arrive(site, [frameTo(THERE, macOf(1))], ip);
    from(PEER);
    const owner = site.out().learned.get(0x0200, 1);
    for (let tick = 0; tick < 10; tick += 1) {
      from(OTHER);
      for (let frame = 0; frame < 5; frame += 1) from(PEER);
      site.in().learning.tick();
      expect(site.out().learned.get(0x0200, 1)).toBe(owner);
    }
  });
  test('who flaps does not age', () => {
    const told: number[] = [];
    const learning = new Learning((_high, _low, peerNumber) => told.push(peerNumber));
    learning.learn(2, 1, 5);
    learning.learn(2, 1, 6);
    learning.age(AGEING_S);
    learning.learn(2, 1, 5);
    learning.age(AGEING_S + 1);
    expect([learning.size, told]).toEqual([1, [5, 6]]);
  });
  test('nothing from a frame that is dropped', () => {
    const site = newSite(peer(PEER, { learned: true }));
    arrive(site, [
      frameTo('0180c2000000', macOf(1)),
      rawFrame('0806', bytesOf(28), { from: macOf(2), tags: ['81000001'] }),
    ]);
    expect(learnedBy(site)).toBe(0);
  });
});

test('a peer that is another port of the same host is the same source', () => {
  const site = newSite(peer(PEER, { port: PORT + 1 }));
  expect(arrive(site, [frameTo(THERE)])).toBe(1);
});
