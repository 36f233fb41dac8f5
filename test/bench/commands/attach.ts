import { parseArgs } from 'node:util';
import { ENGINES, type EngineName } from '../../lab/docker-engines.ts';
import type { AttachPlan } from '../attach/attach.ts';
import { benchAttach } from '../attach/attach.ts';
import { ROUNDS_MAX } from '../attach/first-reply.ts';
import { attachTable } from '../attach/table.ts';
import { CONGESTION } from '../iperf.ts';
import type { Command } from './command.ts';
import { labsOf, positive, print, progress, UsageError } from './command.ts';

const USAGE = `attach [--lab wire|veth] [--rounds N] [--seconds N] [--engine ${ENGINES.join('|')}] [--json]
Measures Linkspan's Docker driver beside Docker's own macvlan and overlay drivers.
  --lab      across sites only this lab; default both
  --rounds   alternating rounds, default 5, at most ${ROUNDS_MAX}      --seconds  of each measurement, default 2
  --engine   Debian 12's Docker or the next release's, default ${ENGINES[0]}
  --json     the report with every round`;

type Options = { readonly plan: AttachPlan; readonly json: boolean };

function engineOf(name: string): EngineName {
  const engine = ENGINES.find((known) => known === name);
  if (engine === undefined) throw new UsageError(`--engine ${name}: give ${ENGINES.join(' or ')}`);
  return engine;
}

function parse(options: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...options],
    options: {
      lab: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      engine: { type: 'string', default: ENGINES[0] ?? '' },
      json: { type: 'boolean', default: false },
    },
  });
  const plan = {
    labs: labsOf(values.lab),
    rounds: positive('rounds', values.rounds, ROUNDS_MAX),
    seconds: positive('seconds', values.seconds),
    engine: engineOf(values.engine),
    congestion: CONGESTION,
  };
  return { plan, json: values.json };
}

async function run({ plan, json }: Options): Promise<number> {
  print(await benchAttach(plan, progress), json, attachTable);
  return 0;
}

export const attachCommand: Command = {
  usage: USAGE,
  prepare: (words) => {
    const options = parse(words);
    return () => run(options);
  },
};
