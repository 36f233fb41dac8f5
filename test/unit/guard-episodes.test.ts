import { expect, test } from '@jest/globals';
import { GuardEpisodes } from '../../src/status/guard-episodes.ts';
import type { GuardDrop } from '../../src/status/guards.ts';

/** A guard's episodes as they are told, with a clock of its own. */
function watched(): {
  readonly told: string[];
  readonly look: (seconds: number, frames: number, over?: Partial<GuardDrop>) => void;
} {
  const told: string[] = [];
  let now = 0;
  const clock = { now: () => 0, monotonic: () => now };
  const episodes = new GuardEpisodes(clock, (type, level, message) => void told.push(`${level} ${type}: ${message}`));
  const look = (seconds: number, frames: number, over: Partial<GuardDrop> = {}): void => {
    now = seconds * 1000;
    episodes.update([{ network: 'line', reason: 'dhcp', way: 'in', frames, ...over }]);
  };
  return { told, look };
}

test('what was dropped before the service began is no news; then the first frame is, and no other', () => {
  const { told, look } = watched();
  look(0, 40);
  look(2, 40);
  expect(told).toEqual([]);
  look(4, 43);
  look(6, 50);
  expect(told).toEqual([
    'warning guard.dropping: network line: guard dhcp drops DHCP from other sites (3 frames so far); each site keeps its own server; to let one serve the others, set guards.dhcp to allow at all sites',
  ]);
});

test('quiet is told once, with how many there were; a storm is quiet sooner', () => {
  const { told, look } = watched();
  look(0, 0);
  look(2, 3);
  look(300, 5);
  look(899, 5);
  expect(told).toHaveLength(1);
  look(900, 5);
  look(902, 5);
  expect(told[1]).toBe(
    'info guard.quiet: network line: guard dhcp has nothing more to drop from other sites; it was 5 frames',
  );
  const storm = watched();
  storm.look(0, 0, { reason: 'storm' });
  storm.look(2, 9000, { reason: 'storm' });
  storm.look(32, 9000, { reason: 'storm' });
  expect(storm.told).toHaveLength(2);
});

test('a counter that begins anew with its port counts on', () => {
  const { told, look } = watched();
  look(0, 40);
  look(2, 2);
  expect(told[0]).toContain('(2 frames so far)');
});

test('what a site keeps to itself is no warning; a storm is one, whichever way', () => {
  const { told, look } = watched();
  look(0, 0, { way: 'out' });
  look(2, 1, { way: 'out' });
  look(4, 0, { way: 'out', reason: 'storm' });
  look(6, 1, { way: 'out', reason: 'storm' });
  expect(told.map((line) => line.split(' ')[0])).toEqual(['info', 'warning']);
  look(8, 0, { network: '', reason: 'unknown_source' });
  look(10, 1, { network: '', reason: 'unknown_source' });
  expect(told[2]).toContain(
    "overlay networks: guard unknown_source drops VXLAN from addresses that are none of the networks' peers",
  );
});
