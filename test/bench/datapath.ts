import { withLab } from '../lab/lab.ts';
import { floored } from './floors.ts';
import { serve } from './iperf.ts';
import { thisMachine } from './machine.ts';
import type { How } from './measures.ts';
import { MEASURES } from './measures.ts';
import type { LabReport, Report, Round } from './report.ts';
import { summarise } from './report.ts';
import { takeRound } from './rounds.ts';
import type { TopologyName } from './topologies/build.ts';
import { buildTopologies } from './topologies/build.ts';
import type { LabName } from './topologies/ends.ts';

export type Plan = {
  readonly labs: readonly LabName[];
  readonly topologies: readonly TopologyName[];
  readonly rounds: number;
} & How;

async function measureLab(name: LabName, plan: Plan, progress: (line: string) => void): Promise<LabReport> {
  return withLab(async (lab) => {
    const paths = await buildTopologies(lab, name, plan.topologies);
    for (const path of paths.values()) await serve(lab, path);
    const rounds: Round[] = [];
    for (let number = 0; number < plan.rounds; number++) {
      const say = (said: string): void => progress(`${name}, round ${number + 1} of ${plan.rounds}, ${said}`);
      rounds.push(await takeRound({ number, paths, measures: MEASURES, how: plan }, say));
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
