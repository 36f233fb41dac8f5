import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { chart } from '../chart.ts';
import type { Plan } from '../datapath.ts';
import { benchDatapath } from '../datapath.ts';
import { CONGESTION } from '../iperf.ts';
import { table } from '../table.ts';
import type { TopologyName } from '../topologies/build.ts';
import { TOPOLOGIES } from '../topologies/build.ts';
import type { Command } from './command.ts';
import { labsOf, positive, print, progress, UsageError } from './command.ts';

const USAGE = `datapath [--lab wire|veth] [--rounds N] [--seconds N] [--congestion NAME]
                [--topologies a,b,c] [--json] [--chart FILE]
Measures Linkspan's datapath beside others.
  --lab      only this lab; default both (veth: underlay with offloads; wire: real 1500-byte packets)
  --rounds   alternating rounds, default 5       --seconds  of each measurement, default 2
  --congestion  TCP's congestion control, default cubic, as Linux has it unless somebody changed it
  --topologies  only these of underlay, kernel, user, bridge, tinc, ovs; default all
  --json     the report with every round          --chart    draws the figures into an SVG file`;

/** In the order that the table has. */
function topologiesOf(list: string | undefined): readonly TopologyName[] {
  if (list === undefined) return TOPOLOGIES;
  const names = list.split(',');
  const unknown = names.find((name) => !TOPOLOGIES.some((topology) => topology === name));
  if (unknown !== undefined) throw new UsageError(`--topologies ${list}: there is no ${unknown || 'empty name'}`);
  return TOPOLOGIES.filter((topology) => names.includes(topology));
}

type Options = { readonly plan: Plan; readonly json: boolean; readonly chart: string | undefined };

function parse(options: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...options],
    options: {
      lab: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      topologies: { type: 'string' },
      congestion: { type: 'string', default: CONGESTION },
      json: { type: 'boolean', default: false },
      chart: { type: 'string' },
    },
  });
  const plan = {
    labs: labsOf(values.lab),
    topologies: topologiesOf(values.topologies),
    rounds: positive('rounds', values.rounds),
    seconds: positive('seconds', values.seconds),
    congestion: values.congestion,
  };
  return { plan, json: values.json, chart: values.chart };
}

async function run(options: Options): Promise<number> {
  const report = await benchDatapath(options.plan, progress);
  print(report, options.json, table);
  if (options.chart) await writeFile(options.chart, chart(report));
  return 0;
}

export const datapathCommand: Command = {
  usage: USAGE,
  prepare: (words) => {
    const options = parse(words);
    return () => run(options);
  },
};
