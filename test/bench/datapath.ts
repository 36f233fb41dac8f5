import { availableParallelism, cpus, release } from 'node:os';
import { withLab } from '../lab/lab.ts';
import type { How, Measure, Sample } from './measure.ts';
import { MEASURES, serve } from './measure.ts';
import type { Spread } from './statistics.ts';
import { ratiosOf, spreadOf } from './statistics.ts';
import type { LabName, TopologyName } from './topologies.ts';
import { buildTopologies, TOPOLOGIES } from './topologies.ts';

export type Round = Readonly<Record<TopologyName, Sample>>;

export type Figure = Spread & { readonly ratio_to_bridge: Spread; readonly ratio_to_underlay: Spread };

export type LabReport = {
  readonly lab: LabName;
  readonly rounds: readonly Round[];
  readonly figures: Readonly<Record<Measure['key'], Readonly<Record<TopologyName, Figure>>>>;
};

export type Report = {
  readonly benchmark: 'datapath';
  readonly taken: string;
  readonly machine: { readonly cores: number; readonly cpu: string; readonly kernel: string; readonly node: string };
  readonly seconds: number;
  readonly congestion: string;
  readonly labs: readonly LabReport[];
};

export type Plan = { readonly labs: readonly LabName[]; readonly rounds: number } & How;

function figureOf(rounds: readonly Round[], key: Measure['key'], topology: TopologyName): Figure {
  const column = (name: TopologyName): number[] => rounds.map((round) => round[name][key]);
  const own = column(topology);
  return {
    ...spreadOf(own),
    ratio_to_bridge: ratiosOf(own, column('bridge')),
    ratio_to_underlay: ratiosOf(own, column('underlay')),
  };
}

function summarise(lab: LabName, rounds: readonly Round[]): LabReport {
  const row = (key: Measure['key']): Record<TopologyName, Figure> => ({
    underlay: figureOf(rounds, key, 'underlay'),
    kernel: figureOf(rounds, key, 'kernel'),
    bridge: figureOf(rounds, key, 'bridge'),
  });
  return { lab, rounds, figures: { tcp1: row('tcp1'), tcp4: row('tcp4'), udp64: row('udp64'), rtt: row('rtt') } };
}

type Take = (topology: TopologyName, measure: Measure) => Promise<number>;

/**
 * Every topology once for each measure, one straight after the other: what is compared lies seconds apart, within the
 * same minute of a machine whose speed drifts. A round starts one topology further on than the last, so that none
 * always follows the same.
 */
async function takeRound(number: number, take: Take): Promise<Round> {
  const order = TOPOLOGIES.map((_, step) => TOPOLOGIES[(number + step) % TOPOLOGIES.length] ?? 'underlay');
  const taken = new Map(TOPOLOGIES.map((name) => [name, new Map<string, number>()]));
  for (const measure of MEASURES) {
    for (const topology of order) taken.get(topology)?.set(measure.key, await take(topology, measure));
  }
  const round = [...taken].map(([topology, values]) => [topology, Object.fromEntries(values)]);
  return Object.fromEntries(round) as Round;
}

async function measureLab(name: LabName, plan: Plan, progress: (line: string) => void): Promise<LabReport> {
  return withLab(async (lab) => {
    const paths = await buildTopologies(lab, name);
    for (const topology of TOPOLOGIES) await serve(lab, paths[topology]);
    const rounds: Round[] = [];
    for (let number = 0; number < plan.rounds; number++) {
      rounds.push(
        await takeRound(number, async (topology, { key, unit, digits, take }) => {
          const value = await take(paths[topology], plan);
          progress(
            `${name}, round ${number + 1} of ${plan.rounds}, ${key}, ${topology}: ${value.toFixed(digits)} ${unit}`,
          );
          return value;
        }),
      );
    }
    return summarise(name, rounds);
  });
}

/** Measures all topologies in turn, in each lab. Takes about 8 seconds per round and topology with 2 s measurements. */
export async function benchDatapath(plan: Plan, progress: (line: string) => void): Promise<Report> {
  const labs: LabReport[] = [];
  for (const name of plan.labs) labs.push(await measureLab(name, plan, progress));
  const cpu = cpus()[0]?.model ?? 'unknown';
  const machine = { cores: availableParallelism(), cpu, kernel: release(), node: process.version };
  return {
    benchmark: 'datapath',
    taken: new Date().toISOString(),
    machine,
    seconds: plan.seconds,
    congestion: plan.congestion,
    labs,
  };
}
