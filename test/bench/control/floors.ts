import { type Floored, held } from '../floors.ts';
import type { FleetReport } from './report.ts';
import type { Idle } from './idle.ts';
import { GATEWAYS_A_VNI } from './shape.ts';
import { variantName } from './variant.ts';

/** Everyone knows everyone, 99th percentile, by the size of the fleet. */
const COLD_START_MS: ReadonlyMap<number, number> = new Map([
  [1000, 3000],
  [2000, 8000],
]);
const MOVE_MS = 100;
const CRASH_MS = 1000;
const IDLE_AN_HOUR = 1;

const atMost = (fleet: FleetReport, what: string, limit: number, value: number): Floored<string> =>
  held({
    lab: `${fleet.gateways}`,
    what: `${what}, ${variantName(fleet.variant)}`,
    bound: 'at most',
    limit,
    unit: 'ms',
    value,
  });

/** What the control plane is held to: 2 cores, mosquitto, and the shape of shape.ts. */
export function controlFloors(fleets: readonly FleetReport[], { quiet, simulated }: Idle): readonly Floored<string>[] {
  const value = quiet + simulated;
  const what = 'messages at rest, an hour';
  const idle = held({ lab: `${GATEWAYS_A_VNI}`, what, bound: 'at most', limit: IDLE_AN_HOUR, unit: '', value });
  const known = fleets.flatMap((fleet) => {
    const limit = COLD_START_MS.get(fleet.gateways);
    const coldStart = limit === undefined ? [] : [atMost(fleet, 'cold start', limit, fleet.coldStart.p99.median)];
    return [
      ...coldStart,
      atMost(fleet, 'move', MOVE_MS, fleet.moves.last.median),
      atMost(fleet, 'crash', CRASH_MS, fleet.crashes.last.median),
    ];
  });
  return [...known, idle];
}
