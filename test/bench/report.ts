import type { Floored } from './floors.ts';
import type { Machine } from './machine.ts';
import type { Metric, Values } from './measures.ts';
import type { Spread } from './statistics.ts';
import { ratiosOf, spreadOf } from './statistics.ts';
import type { TopologyName } from './topologies/build.ts';
import type { LabName } from './topologies/ends.ts';

/** What each of the chosen topologies gave. */
export type Round = Readonly<Partial<Record<TopologyName, Values>>>;

/** Over all rounds; ratios are made round by round, to those topologies that this one is held against. */
export type Figure = Spread & { readonly ratio_to: Readonly<Partial<Record<TopologyName, Spread>>> };

export type Figures = Readonly<Partial<Record<Metric, Readonly<Partial<Record<TopologyName, Figure>>>>>>;

export type LabReport = {
  readonly lab: LabName;
  readonly topologies: readonly TopologyName[];
  readonly rounds: readonly Round[];
  readonly figures: Figures;
};

export type Report = {
  readonly benchmark: 'datapath';
  readonly taken: string;
  readonly machine: Machine;
  readonly seconds: number;
  readonly congestion: string;
  readonly labs: readonly LabReport[];
  readonly floors: readonly Floored[];
};

const HELD_AGAINST: Readonly<Record<TopologyName, readonly TopologyName[]>> = {
  underlay: ['kernel'],
  kernel: ['underlay', 'bridge'],
  user: ['kernel', 'tinc', 'ovs'],
  bridge: ['kernel'],
  tinc: ['kernel'],
  ovs: ['kernel'],
};

function figureOf(rounds: readonly Round[], metric: Metric, topology: TopologyName): Figure | undefined {
  const column = (name: TopologyName): number[] => rounds.flatMap((round) => round[name]?.[metric] ?? []);
  const own = column(topology);
  if (own.length === 0) return undefined;
  const bases = HELD_AGAINST[topology].map((name) => [name, column(name)] as const);
  const ratios = bases
    .filter(([, base]) => base.length === own.length)
    .map(([name, base]) => [name, ratiosOf(own, base)]);
  return { ...spreadOf(own), ratio_to: Object.fromEntries(ratios) as Figure['ratio_to'] };
}

function figuresOf(rounds: readonly Round[], metric: Metric, topologies: readonly TopologyName[]): Figures[Metric] {
  const figures = topologies.map((name) => [name, figureOf(rounds, metric, name)] as const);
  return Object.fromEntries(figures.filter(([, figure]) => figure));
}

/** One lab's rounds and what they come to. */
export function summarise(lab: LabName, topologies: readonly TopologyName[], rounds: readonly Round[]): LabReport {
  const metrics = new Set(rounds.flatMap((round) => Object.values(round).flatMap((values) => Object.keys(values))));
  const figures = [...metrics].map((metric) => [metric, figuresOf(rounds, metric as Metric, topologies)]);
  return { lab, topologies, rounds, figures: Object.fromEntries(figures) as Figures };
}
