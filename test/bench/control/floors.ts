import { type Floored, held } from '../floors.ts';
import type { FleetReport } from './report.ts';
import type { Idle } from './idle.ts';
import { GATEWAYS_A_VNI } from './shape.ts';
import { type Variant, variantName } from './variant.ts';

/** Everyone knows everyone, 99th percentile, by the size of the fleet. */
export const COLD_START_MS: ReadonlyMap<number, number> = new Map([
  [1000, 3000],
  [2000, 8000],
]);
export const MOVE_MS = 100;
export const CRASH_MS = 1000;
const IDLE_AN_HOUR = 1;

/** A fleet that was to be measured, and what came of it; nothing where no round ran to its end. */
export type Attempt = {
  readonly gateways: number;
  readonly variant: Variant;
  readonly report: FleetReport | undefined;
};

type Value = (fleet: FleetReport) => number;

const p99: Value = ({ coldStart }) => coldStart.p99.median;

const atMost = ({ gateways, variant, report }: Attempt, what: string, limit: number, value: Value): Floored<string> =>
  held({
    lab: `${gateways}`,
    what: `${what}, ${variantName(variant)}`,
    bound: 'at most',
    limit,
    unit: 'ms',
    value: report ? value(report) : null,
  });

/** What the control plane is held to: 2 cores, mosquitto, and the shape of shape.ts. */
export function controlFloors(fleets: readonly Attempt[], { quiet, simulated }: Idle): readonly Floored<string>[] {
  const value = quiet + simulated;
  const what = 'messages at rest, an hour';
  const idle = held({ lab: `${GATEWAYS_A_VNI}`, what, bound: 'at most', limit: IDLE_AN_HOUR, unit: '', value });
  const timed = fleets.flatMap((fleet) => {
    const limit = COLD_START_MS.get(fleet.gateways);
    const known = limit === undefined ? [] : [atMost(fleet, 'cold start', limit, p99)];
    return [
      ...known,
      atMost(fleet, 'move', MOVE_MS, ({ moves }) => moves.last.median),
      atMost(fleet, 'crash', CRASH_MS, ({ crashes }) => crashes.last.median),
    ];
  });
  return [...timed, idle];
}
