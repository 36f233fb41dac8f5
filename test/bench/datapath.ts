import { withLab } from '../lab/lab.ts';
import { floored } from './floors.ts';
import { serve } from './iperf.ts';
import { thisMachine } from './machine.ts';
import type { How, Measure, Values } from './measures.ts';
import { MEASURES } from './measures.ts';
import type { LabReport, Report, Round } from './report.ts';
import { summarise } from './report.ts';
import type { TopologyName } from './topologies/build.ts';
import { buildTopologies } from './topologies/build.ts';
import type { LabName, Path } from './topologies/ends.ts';

export type Plan = {
  readonly labs: readonly LabName[];
  readonly topologies: readonly TopologyName[];
  readonly rounds: number;
} & How;

type Take = (topology: TopologyName, path: Path, measure: Measure) => Promise<Values>;

/**
 * Every topology once for each measure, one straight after the other: what is compared lies seconds apart, within the
 * same minute of a machine whose speed drifts. A round starts one topology further on than the last, so that none
 * always follows the same.
 */
async function takeRound(number: number, paths: ReadonlyMap<TopologyName, Path>, take: Take): Promise<Round> {
  const all = [...paths];
  const start = number % all.length;
  const order = [...all.slice(start), ...all.slice(0, start)];
  const round: Partial<Record<TopologyName, Values>> = {};
  for (const measure of MEASURES) {
    for (const [topology, path] of order) {
      round[topology] = { ...round[topology], ...(await take(topology, path, measure)) };
    }
  }
  return round;
}

const told = (values: Values): string =>
  Object.entries(values)
    .map(([metric, value]) => `${metric} ${value.toPrecision(3)}`)
    .join(', ');

async function measureLab(name: LabName, plan: Plan, progress: (line: string) => void): Promise<LabReport> {
  return withLab(async (lab) => {
    const paths = await buildTopologies(lab, name, plan.topologies);
    for (const path of paths.values()) await serve(lab, path);
    const rounds: Round[] = [];
    for (let number = 0; number < plan.rounds; number++) {
      const take: Take = async (topology, path, measure) => {
        const values = await measure.take(path, plan);
        const said = told(values);
        if (said) progress(`${name}, round ${number + 1} of ${plan.rounds}, ${topology}: ${said}`);
        return values;
      };
      rounds.push(await takeRound(number, paths, take));
    }
    return summarise(name, plan.topologies, rounds);
  });
}

/** Measures the topologies in turn, in each lab: some 20 seconds per round and topology with 2 s measurements. */
export async function benchDatapath(plan: Plan, progress: (line: string) => void): Promise<Report> {
  const labs: LabReport[] = [];
  for (const name of plan.labs) labs.push(await measureLab(name, plan, progress));
  return {
    benchmark: 'datapath',
    taken: new Date().toISOString(),
    machine: thisMachine(),
    seconds: plan.seconds,
    congestion: plan.congestion,
    labs,
    floors: floored(labs),
  };
}
