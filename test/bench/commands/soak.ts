import { parseArgs } from 'node:util';
import { benchSoak } from '../soak/soak.ts';
import { soakTable } from '../soak/table.ts';
import type { Command } from './command.ts';
import { positive, print, progress } from './command.ts';

// iperf3 runs for a day at most.
const GREATEST_MINUTES = 1400;

const USAGE = `soak [--minutes N] [--json]
Shows whether the user engine's memory stays flat: two sites at full rate, both ways at once, in the lab "wire".
  --minutes  after a minute to warm up, default 20, at most ${GREATEST_MINUTES}
  --json     the report with every sample
Exits with 0 where memory stayed flat and packets never ceased to pass, else with 1.`;

type Options = { readonly minutes: number; readonly json: boolean };

function parse(options: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...options],
    options: { minutes: { type: 'string', default: '20' }, json: { type: 'boolean', default: false } },
  });
  return { minutes: positive('minutes', values.minutes, GREATEST_MINUTES), json: values.json };
}

async function run({ minutes, json }: Options): Promise<number> {
  const report = await benchSoak(minutes, progress);
  print(report, json, soakTable);
  return report.flat && !report.stalled ? 0 : 1;
}

export const soakCommand: Command = {
  usage: USAGE,
  prepare: (words) => {
    const options = parse(words);
    return () => run(options);
  },
};
