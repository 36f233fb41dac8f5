import type { Metric } from './measures.ts';
import type { LabReport } from './report.ts';
import type { TopologyName } from './topologies/build.ts';
import type { LabName } from './topologies/ends.ts';
import { LABS } from './topologies/ends.ts';

/** What the engines are held to: a topology's median, or the median of its ratios to another. */
type Floor = {
  readonly labs: readonly LabName[];
  readonly what: string;
  readonly topology: TopologyName;
  readonly metric: Metric;
  readonly to?: TopologyName;
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
  readonly unit?: string;
};

/** A floor in one lab of this run; without a value where the run did not measure it. */
export type Floored<Lab extends string = LabName> = Pick<Floor, 'what' | 'bound' | 'limit'> & {
  readonly lab: Lab;
  readonly unit: string;
  readonly value: number | null;
  readonly met: boolean | null;
};

const user = { topology: 'user', bound: 'at least' } as const;
const userAtMost = { topology: 'user', bound: 'at most' } as const;
const kernel = { topology: 'kernel', to: 'bridge', labs: ['veth'], bound: 'at least' } as const;

// The cost counts in `wire`, which is what a gateway with a plain Ethernet port is like: 1.4 times the kernel's when this
// was set. In `veth` the kernel never cuts a packet, and it was about twice.
const FLOORS: readonly Floor[] = [
  { ...user, labs: ['wire'], what: 'user to kernel, TCP 1 stream', metric: 'tcp1', to: 'kernel', limit: 0.9 },
  { ...user, labs: ['wire'], what: 'user to kernel, TCP 4 streams', metric: 'tcp4', to: 'kernel', limit: 0.78 },
  { ...user, labs: ['veth'], what: 'user to kernel, TCP 1 stream', metric: 'tcp1', to: 'kernel', limit: 0.55 },
  { ...userAtMost, labs: ['wire'], what: 'user to kernel, CPU s/GB', metric: 'tcp1_cpu', to: 'kernel', limit: 1.5 },
  { ...user, labs: LABS, what: 'user to tinc, TCP 1 stream', metric: 'tcp1', to: 'tinc', limit: 7 },
  { ...user, labs: LABS, what: 'user to ovs, TCP 1 stream', metric: 'tcp1', to: 'ovs', limit: 15 },
  { ...userAtMost, labs: LABS, what: 'user, round trip', metric: 'rtt', limit: 250, unit: 'µs' },
  { ...userAtMost, labs: LABS, what: 'user, memory', metric: 'memory', limit: 90, unit: 'MB' },
  { ...userAtMost, labs: LABS, what: 'user, lost of 120 k/s', metric: 'at120_lost', limit: 1, unit: '%' },
  { ...kernel, what: 'kernel to bridge, TCP 1 stream', metric: 'tcp1', limit: 1.08 },
  { ...kernel, what: 'kernel to bridge, UDP flood', metric: 'udp64', limit: 1.25 },
];

/** A sender that never came near 120 thousand a second, on a slow or busy machine, shows no engine to be without loss. */
function fellShort({ metric, topology, limit }: Floor, { figures }: LabReport): boolean {
  if (metric !== 'at120_lost') return false;
  const [sent, lost] = [figures.at120_sent?.[topology], figures.at120_lost?.[topology]];
  return sent !== undefined && lost !== undefined && sent.median < 0.95 * 120 && lost.median <= limit;
}

function measured(floor: Floor, lab: LabReport): number | null {
  const { metric, topology, to } = floor;
  const figure = lab.figures[metric]?.[topology];
  if (fellShort(floor, lab)) return null;
  return (to ? figure?.ratio_to[to] : figure)?.median ?? null;
}

/** Whether the value found is within the bound. */
export function held<Lab extends string>(floor: Omit<Floored<Lab>, 'met'>): Floored<Lab> {
  const { bound, limit, value } = floor;
  const holds = (found: number): boolean => (bound === 'at least' ? found >= limit : found <= limit);
  return { ...floor, met: value === null ? null : holds(value) };
}

function holdTo(floor: Floor, lab: LabReport): Floored {
  const { what, bound, limit, unit = '' } = floor;
  return held({ lab: lab.lab, what, bound, limit, unit, value: measured(floor, lab) });
}

/** Every floor in every lab of this run that it counts in. */
export function floored(labs: readonly LabReport[]): readonly Floored[] {
  return labs.flatMap((lab) =>
    FLOORS.filter((floor) => floor.labs.includes(lab.lab)).map((floor) => holdTo(floor, lab)),
  );
}
