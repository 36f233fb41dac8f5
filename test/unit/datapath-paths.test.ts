import { expect, test } from '@jest/globals';
import { Paths } from '../../src/datapath/paths.ts';
import { sockaddr } from '../../src/datapath/sockaddr.ts';
import { overlay, peer, Site, VNI } from './support/datapath.ts';
import { ethernet, FLAG, type Frame, ip4, tcp } from './support/frames.ts';
import { vxlan } from './support/segment-oracle.ts';

const FOUR = '192.0.2.2';
const SIX = '2001:db8::2';

test('a way is narrow where less passes than is needed, and no longer when more does', () => {
  const outer = new Map([
    [FOUR, 1400],
    [SIX, 1400],
  ]);
  const both = new Set([FOUR, SIX]);
  const paths = new Paths((ip) => outer.get(ip));
  expect([paths.look(1331, both), paths.mtuOf(FOUR), paths.mtuOf(SIX)]).toEqual([true, undefined, 1330]);
  expect([paths.look(1331, both), paths.look(1450, both), paths.look(1450, both)]).toEqual([false, true, false]);
  expect(paths.list).toEqual([
    { ip: FOUR, mtu: 1350 },
    { ip: SIX, mtu: 1330 },
  ]);
  outer.set(FOUR, 1390);
  expect([paths.look(1450, both), paths.mtuOf(FOUR)]).toEqual([true, 1340]);
  outer.set(FOUR, 1500);
  outer.delete(SIX);
  expect([paths.look(1450, both), paths.list, paths.look(1450, both)]).toEqual([true, [], false]);
});

test('no way is so narrow that TCP could not go on', () => {
  const paths = new Paths(() => 68);
  expect([paths.look(1450, new Set([FOUR])), paths.mtuOf(FOUR)]).toEqual([true, 576]);
});

test('a way to nobody of ours is forgotten', () => {
  const paths = new Paths(() => 1000);
  paths.look(1450, new Set([FOUR]));
  expect([paths.look(900, new Set([SIX])), paths.list]).toEqual([true, []]);
});

function synOf(mss: number): Frame {
  const options = Buffer.from(`0204${mss.toString(16).padStart(4, '0')}`, 'hex');
  return ethernet(ip4(tcp(Buffer.alloc(0), { flags: FLAG.SYN | FLAG.ACK, options })));
}

test.each([
  [1300, 1260],
  [0, 1400],
])('an MSS on the way in, where the way back passes %i: %i, also where peers share an address', (path, told) => {
  const site = new Site('192.0.2.1', () => undefined);
  site.paths.set(FOUR, path);
  site.apply(overlay({ peers: [peer(FOUR, { port: 4790 }), peer(FOUR)] }));
  const from = sockaddr({ ip: FOUR, port: 50_000 });
  site.underlay.in.waiting.push({ from, to: from, payload: vxlan(synOf(1400).bytes, VNI) });
  expect(site.receive().map((frame) => frame.toString('hex', 10))).toEqual([synOf(told).bytes.toString('hex')]);
});
