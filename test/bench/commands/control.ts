import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { controlChart } from '../control/chart.ts';
import { benchControl, type ControlPlan } from '../control/control.ts';
import { controlMarkdown } from '../control/markdown.ts';
import { controlTable } from '../control/table.ts';
import { VARIANTS } from '../control/variant.ts';
import { GATEWAYS_A_VNI } from '../control/shape.ts';
import type { Command } from './command.ts';
import { positive, print, progress, UsageError } from './command.ts';

const GATEWAYS = '50,200,1000,2000';

const USAGE = `control [--gateways ${GATEWAYS}] [--tls] [--signed] [--rounds N] [--json] [--chart FILE]
        [--markdown FILE]
Measures the control plane: fleets of simulated gateways on a real mosquitto. Exits with 1 where a floor is not met.
  --gateways  sizes of the fleets, at least ${GATEWAYS_A_VNI}; default ${GATEWAYS}
  --tls       only with TLS and client certificates; --signed  only with signatures; default: without and with each
  --rounds    default 1                           --json  the report with every round
  --chart     draws the figures into an SVG file  --markdown  writes them as docs/scale.md has them`;

type Options = {
  readonly plan: ControlPlan;
  readonly json: boolean;
  readonly chart: string | undefined;
  readonly markdown: string | undefined;
};

function sizesOf(list: string): readonly number[] {
  const sizes = list.split(',').map((text) => positive('gateways', text));
  const small = sizes.find((size) => size < GATEWAYS_A_VNI);
  if (small === undefined) return sizes;
  throw new UsageError(`--gateways ${small}: a VNI has ${GATEWAYS_A_VNI} of them, give as many at least`);
}

function parse(options: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...options],
    options: {
      gateways: { type: 'string', default: GATEWAYS },
      tls: { type: 'boolean', default: false },
      signed: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      chart: { type: 'string' },
      markdown: { type: 'string' },
    },
  });
  const plan = {
    gateways: sizesOf(values.gateways),
    variants: VARIANTS.filter(({ tls, signed }) => (tls || !values.tls) && (signed || !values.signed)),
    rounds: positive('rounds', values.rounds),
  };
  return { plan, json: values.json, chart: values.chart, markdown: values.markdown };
}

async function run({ plan, json, chart, markdown }: Options): Promise<number> {
  const report = await benchControl(plan, progress);
  print(report, json, controlTable);
  if (chart) await writeFile(chart, controlChart(report));
  if (markdown) await writeFile(markdown, controlMarkdown(report));
  return report.floors.every(({ met }) => met) ? 0 : 1;
}

export const controlCommand: Command = {
  usage: USAGE,
  prepare: (words) => {
    const options = parse(words);
    return () => run(options);
  },
};
