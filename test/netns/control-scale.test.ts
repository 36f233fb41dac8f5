import { expect, test } from '@jest/globals';
import { withLab } from '../lab/lab.ts';
import { startBroker } from '../bench/control/broker.ts';
import { takeRound } from '../bench/control/measure.ts';
import { percentile } from '../bench/statistics.ts';

// Twenty times what an idle machine needs: what this shows is that all comes to all, and that nothing waits for a timer.
const [COLD_START_MS, MOVE_MS, CRASH_MS] = [10_000, 1000, 2000];

test('forty gateways that sign know each other, a move and a crash, on a real broker', async () => {
  const { coldStart, moves, crashes, returns } = await takeRound(40, { tls: false, signed: true });
  expect(coldStart).toHaveLength(40);
  expect(Math.max(...coldStart)).toBeLessThan(COLD_START_MS);
  expect(percentile(moves, 50)).toBeLessThan(MOVE_MS);
  expect(Math.max(...crashes)).toBeLessThan(CRASH_MS);
  expect(returns).toHaveLength(3);
}, 180_000);

test('a fleet that has more connections than this shell allows is refused in words', async () => {
  await withLab(async (lab) => {
    await expect(startBroker(lab, 10_000_000, false)).rejects.toThrow(/10000000 connections need .*ulimit -n/);
  });
});
