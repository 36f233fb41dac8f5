import type { Floored } from '../floors.ts';
import type { Machine } from '../machine.ts';
import type { Spread } from '../statistics.ts';
import { percentile, spreadOf } from '../statistics.ts';
import type { Cost } from './cost.ts';
import type { Idle } from './idle.ts';
import type { Variant } from './variant.ts';

/** What one broker and fleet gave; times in milliseconds, one for each gateway that came to know something. */
export type ControlRound = {
  readonly coldStart: readonly number[];
  /** the same of ten whole gateways among such as only load the broker */
  readonly view: readonly number[];
  readonly moves: readonly number[];
  readonly crashes: readonly number[];
  /** one for each gateway that came back */
  readonly returns: readonly number[];
  /** until all knew everything */
  readonly broker: Cost;
  readonly clients: Cost;
};

/** Over the gateways of a round, and then over the rounds. */
export type Times = { readonly p50: Spread; readonly p99: Spread; readonly last: Spread };

export type FleetReport = {
  readonly gateways: number;
  readonly variant: Variant;
  readonly rounds: readonly ControlRound[];
  readonly coldStart: Times;
  readonly view: Times;
  readonly moves: Times;
  readonly crashes: Times;
  readonly returns: Times;
  readonly broker: { readonly cpu_s: Spread; readonly rss_mb: Spread };
  /** of all gateways together */
  readonly clients: { readonly cpu_s: Spread; readonly rss_mb: Spread };
};

export type ControlReport = {
  readonly benchmark: 'control';
  readonly taken: string;
  readonly machine: Machine;
  readonly mosquitto: string;
  readonly fleets: readonly FleetReport[];
  /** rounds that did not run to their end, and why; what is left of their fleet's is in `fleets` */
  readonly failures: readonly string[];
  readonly idle: Idle;
  readonly floors: readonly Floored<string>[];
};

function timesOf(rounds: readonly (readonly number[])[]): Times {
  const at = (percent: number): Spread => spreadOf(rounds.map((round) => percentile(round, percent)));
  return { p50: at(50), p99: at(99), last: at(100) };
}

const costs = (of: readonly Cost[]): { cpu_s: Spread; rss_mb: Spread } => ({
  cpu_s: spreadOf(of.map(({ cpu_s }) => cpu_s)),
  rss_mb: spreadOf(of.map(({ rss_mb }) => rss_mb)),
});

/** What a fleet's rounds come to. */
export function summarise(gateways: number, variant: Variant, rounds: readonly ControlRound[]): FleetReport {
  return {
    gateways,
    variant,
    rounds,
    coldStart: timesOf(rounds.map(({ coldStart }) => coldStart)),
    view: timesOf(rounds.map(({ view }) => view)),
    moves: timesOf(rounds.map(({ moves }) => moves)),
    crashes: timesOf(rounds.map(({ crashes }) => crashes)),
    returns: timesOf(rounds.map(({ returns }) => returns)),
    broker: costs(rounds.map(({ broker }) => broker)),
    clients: costs(rounds.map(({ clients }) => clients)),
  };
}
