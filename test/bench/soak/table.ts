import { machineLine } from '../machine.ts';
import { short } from '../table.ts';
import type { Dropped, Memory, Received, SoakReport } from './report.ts';
import { dropsOf, EVERY_S, FLAT_MB, rates, WARM_UP_MINUTES } from './report.ts';
import type { Sample } from './sample.ts';
import { SITES } from './sample.ts';

const NAME = 14;
const COLUMN = 16;

const row = (name: string, ...columns: readonly string[]): string =>
  `${name.padEnd(NAME)}${columns.map((text) => text.padStart(COLUMN)).join('')}`;

/** Tenths, since what is looked for is small beside the whole. */
const tenths = (value: number): string => value.toFixed(1);

const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const total = (drops: Dropped): number => Object.values(drops).reduce((sum, count) => sum + count, 0);

/** The minute that the last sample ended. */
export function minuteLine(samples: readonly Sample[], minutes: number): string {
  const minute = Math.round((samples.at(-1)?.at_s ?? 0) / 60);
  const its = samples.slice(-60 / EVERY_S - 1);
  const speeds = SITES.map((site) => short(average(rates(its, site)))).join(' and ');
  const memory = SITES.map((site) => tenths((its.at(-1)?.[site].rss_bytes ?? Number.NaN) / 1e6)).join(' and ');
  const drops = SITES.map((site) => total(dropsOf(its, site))).join(' and ');
  const phase = minute <= WARM_UP_MINUTES ? ' (warm-up)' : '';
  return `minute ${minute} of ${minutes}${phase}: ${speeds} Gbit/s received, ${memory} MB, ${drops} drops`;
}

const memoryRow = (name: string, { start, first_quarter, last_quarter, highest }: Memory): string =>
  row(name, tenths(start), tenths(first_quarter), tenths(last_quarter), tenths(highest));

const receivedRow = (name: string, { gbit_s, gigabytes }: Received): string =>
  row(name, short(gbit_s.median), `${short(gbit_s.min)}..${short(gbit_s.max)}`, tenths(gigabytes));

function dropRows({ a, b }: SoakReport['drops']): string[] {
  const reasons = [...new Set([...Object.keys(a), ...Object.keys(b)])] as (keyof Dropped)[];
  if (reasons.length === 0) return ['none'];
  return reasons.map((reason) => row(reason, String(a[reason] ?? 0), String(b[reason] ?? 0)));
}

function verdict({ flat, stalled }: SoakReport): string[] {
  const limit = `the last quarter's median at most ${FLAT_MB} MB above the first's`;
  const memory = flat ? `Memory stayed flat: ${limit}.` : `Memory did NOT stay flat, which is ${limit}.`;
  return stalled ? [memory, `For ${EVERY_S} s and more NOTHING came through in one direction.`] : [memory];
}

const LEGEND = [
  `start: after the warm-up. quarters: medians of their samples, one each ${EVERY_S} s.`,
  'drops since the load began; kernel_socket, kernel_tap: by the kernel, where the',
  "datapath was too slow for the underlay's packets or the workloads' frames.",
];

/** The report for people, at most 80 columns wide. */
export function soakTable(report: SoakReport): string {
  const { minutes, streams, machine, congestion, memory, received, drops } = report;
  return [
    `Soak: user engine, ${streams} TCP streams each way at once, ${minutes} min after ${WARM_UP_MINUTES} to warm up`,
    machineLine(machine, congestion),
    '',
    row('memory, MB', 'start', 'first quarter', 'last quarter', 'highest'),
    memoryRow('site a', memory.a),
    memoryRow('site b', memory.b),
    '',
    row('received', 'Gbit/s', 'least..greatest', 'GB'),
    receivedRow('site a', received.a),
    receivedRow('site b', received.b),
    '',
    row('drops', 'site a', 'site b'),
    ...dropRows(drops),
    '',
    ...LEGEND,
    '',
    ...verdict(report),
  ].join('\n');
}
