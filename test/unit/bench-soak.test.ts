import { expect, test } from '@jest/globals';
import { DROP_REASONS } from '../../src/datapath/counters.ts';
import { soakReport } from '../bench/soak/report.ts';
import type { Drops, Sample, SiteSample } from '../bench/soak/sample.ts';
import { minuteLine, soakTable } from '../bench/soak/table.ts';

const NO_DROPS = Object.fromEntries([...DROP_REASONS, 'kernel_socket', 'kernel_tap'].map((key) => [key, 0])) as Drops;

/** One gateway at full rate: 5 GB come in each 10 s, 4 Gbit/s. */
const site = (number: number, over: Partial<SiteSample> = {}): SiteSample => ({
  rss_bytes: 85e6,
  received_bytes: number * 5e9,
  drops: NO_DROPS,
  ...over,
});

/** The warm-up's minute and two more, a sample each 10 s; `a` says in what site a differs. */
const samplesOf = (a: (number: number) => Partial<SiteSample> = () => ({})): Sample[] =>
  Array.from({ length: 19 }, (_, number) => ({ at_s: number * 10, a: site(number, a(number)), b: site(number) }));

/** Little in the warm-up, and one sample of much towards the end. */
const peak = (number: number): Partial<SiteSample> => ({
  rss_bytes: number < 6 ? 60e6 : number === 17 ? 95e6 : 86e6,
});

const leak = (number: number): Partial<SiteSample> => ({ rss_bytes: 85e6 + number * 0.3e6 });

test('memory that stays where it is is flat, whatever the warm-up and a single sample show', () => {
  const { memory, flat } = soakReport(2, samplesOf(peak));
  expect(memory.a).toEqual({ start: 86, first_quarter: 86, last_quarter: 86, highest: 95, flat: true });
  expect(flat).toBe(true);
});

test('a leak at one site is not flat', () => {
  const report = soakReport(2, samplesOf(leak));
  expect([report.memory.a.flat, report.memory.b.flat, report.flat]).toEqual([false, true, false]);
  expect(soakTable(report)).toContain('NOT stay flat');
});

test('what came in, and that nothing came in for a while', () => {
  const { received, stalled } = soakReport(2, samplesOf());
  expect(received.b).toEqual({ gbit_s: { median: 4, min: 4, max: 4 }, gigabytes: 90 });
  expect(stalled).toBe(false);
  const still = soakReport(
    2,
    samplesOf((number) => ({ received_bytes: Math.min(number, 12) * 5e9 })),
  );
  expect([still.stalled, still.flat]).toEqual([true, true]);
});

test('drops are those of the load, by reason; a minute has its own', () => {
  const samples = samplesOf((number) => ({ drops: { ...NO_DROPS, no_peer: 7, queue_full: number } }));
  expect(soakReport(2, samples).drops).toEqual({ a: { queue_full: 18 }, b: {} });
  expect(minuteLine(samples, 3)).toBe('minute 3 of 3: 4.00 and 4.00 Gbit/s received, 85.0 and 85.0 MB, 6 and 0 drops');
  expect(minuteLine(samples.slice(0, 7), 3)).toContain('minute 1 of 3 (warm-up)');
});

test('the table is at most 80 columns wide', () => {
  const lines = soakTable(soakReport(1400, samplesOf())).split('\n');
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});
