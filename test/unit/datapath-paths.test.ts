import { expect, test } from '@jest/globals';
import { Paths } from '../../src/datapath/paths.ts';

const FOUR = { ip: '192.0.2.2', port: 4789 };
const SIX = { ip: '2001:db8::2', port: 4789 };

test('a way is narrow where less passes than is needed, and no longer when more does', () => {
  const outer = new Map([
    [FOUR.ip, 1400],
    [SIX.ip, 1400],
  ]);
  const paths = new Paths(({ ip }) => outer.get(ip));
  expect([paths.look(FOUR, 1450), paths.look(SIX, 1330)]).toEqual([true, false]);
  expect(paths.look(FOUR, 1450)).toBe(false);
  expect([paths.mtuOf(FOUR), paths.mtuOf(SIX)]).toEqual([1350, undefined]);
  expect(paths.look(SIX, 1331)).toBe(true);
  expect(paths.list).toEqual([
    { vtep: FOUR, mtu: 1350 },
    { vtep: SIX, mtu: 1330 },
  ]);
  outer.set(FOUR.ip, 1500);
  outer.delete(SIX.ip);
  expect([paths.lookAgain(1450, [FOUR, SIX]), paths.list, paths.lookAgain(1450, [])]).toEqual([true, [], false]);
});

test('a way to nobody of ours is forgotten', () => {
  const paths = new Paths(() => 1000);
  paths.look(FOUR, 1450);
  expect([paths.lookAgain(1450, [FOUR]), paths.lookAgain(1450, [SIX]), paths.list]).toEqual([false, true, []]);
});
