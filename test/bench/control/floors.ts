import { type Floored, held } from '../floors.ts';
import type { FleetReport } from './report.ts';
import { variantName } from './variant.ts';

/** Everyone knows everyone, 99th percentile, by the size of the fleet. */
const COLD_START_MS: ReadonlyMap<number, number> = new Map([
  [1000, 3000],
  [2000, 8000],
]);
const MOVE_MS = 100;
const CRASH_MS = 1000;

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
export function controlFloors(fleets: readonly FleetReport[]): readonly Floored<string>[] {
  return fleets.flatMap((fleet) => {
    const limit = COLD_START_MS.get(fleet.gateways);
    const coldStart = limit === undefined ? [] : [atMost(fleet, 'cold start', limit, fleet.coldStart.p99.median)];
    return [
      ...coldStart,
      atMost(fleet, 'move', MOVE_MS, fleet.moves.last.median),
      atMost(fleet, 'crash', CRASH_MS, fleet.crashes.last.median),
    ];
  });
}
