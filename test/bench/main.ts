import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { chart } from './chart.ts';
import type { Plan } from './datapath.ts';
import { benchDatapath } from './datapath.ts';
import { table } from './table.ts';
import type { TopologyName } from './topologies/build.ts';
import { TOPOLOGIES } from './topologies/build.ts';
import type { LabName } from './topologies/ends.ts';
import { LABS } from './topologies/ends.ts';

const USAGE = `usage: scripts/bench datapath [--lab wire|veth] [--rounds N] [--seconds N] [--congestion NAME]
                               [--topologies a,b,c] [--json] [--chart FILE]
Measures Linkspan's datapath beside others, in network namespaces of this machine; needs root.
  --lab      only this lab; default both (veth: underlay with offloads; wire: real 1500-byte packets)
  --rounds   alternating rounds, default 5       --seconds  of each measurement, default 2
  --congestion  TCP's congestion control, default cubic, as Linux has it unless somebody changed it
  --topologies  only these of underlay, kernel, user, bridge, tinc, ovs; default all
  --json     the report with every round          --chart    draws the figures into an SVG file`;

class UsageError extends Error {}

function positive(name: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new UsageError(`--${name} ${text}: give a whole number from 1 to 9999`);
  return Number(text);
}

function labsOf(name: string | undefined): readonly LabName[] {
  if (name === undefined) return LABS;
  const chosen = LABS.filter((lab) => lab === name);
  if (chosen.length === 0) throw new UsageError(`--lab ${name}: give wire or veth`);
  return chosen;
}

/** In the order that the table has. */
function topologiesOf(list: string | undefined): readonly TopologyName[] {
  if (list === undefined) return TOPOLOGIES;
  const names = list.split(',');
  const unknown = names.find((name) => !TOPOLOGIES.some((topology) => topology === name));
  if (unknown !== undefined) throw new UsageError(`--topologies ${list}: there is no ${unknown || 'empty name'}`);
  return TOPOLOGIES.filter((topology) => names.includes(topology));
}

type Command = { readonly plan: Plan; readonly json: boolean; readonly chart: string | undefined };

/** The command line, or undefined where help is asked for; throws where it is wrong. */
function parse(argv: readonly string[]): Command | undefined {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      lab: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      topologies: { type: 'string' },
      congestion: { type: 'string', default: 'cubic' },
      json: { type: 'boolean', default: false },
      chart: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  if (positionals.length !== 1 || positionals[0] !== 'datapath') throw new UsageError('name what to measure: datapath');
  const plan = {
    labs: labsOf(values.lab),
    topologies: topologiesOf(values.topologies),
    rounds: positive('rounds', values.rounds),
    seconds: positive('seconds', values.seconds),
    congestion: values.congestion,
  };
  return { plan, json: values.json, chart: values.chart };
}

function parseOrExplain(argv: readonly string[]): Command | undefined {
  try {
    const command = parse(argv);
    if (!command) process.stdout.write(`${USAGE}\n`);
    return command;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    process.exitCode = 2;
    return undefined;
  }
}

const command = parseOrExplain(process.argv.slice(2));
if (command) {
  const report = await benchDatapath(command.plan, (line) => process.stderr.write(`${line}\n`));
  process.stdout.write(`${command.json ? JSON.stringify(report, undefined, 2) : table(report)}\n`);
  if (command.chart) await writeFile(command.chart, chart(report));
}
