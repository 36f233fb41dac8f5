import { withLab } from '../../lab/lab.ts';
import { thisMachine } from '../machine.ts';
import { brokerVersion } from './broker.ts';
import { controlFloors } from './floors.ts';
import { measureIdle } from './idle.ts';
import { takeRound } from './measure.ts';
import { type ControlReport, type ControlRound, type FleetReport, summarise } from './report.ts';
import { type Variant, variantName } from './variant.ts';

export type ControlPlan = {
  readonly gateways: readonly number[];
  readonly variants: readonly Variant[];
  readonly rounds: number;
};

/** Measures fleets of each size in each variant, one after the other: half a minute a round, a minute for 2000. */
export async function benchControl(plan: ControlPlan, progress: (line: string) => void): Promise<ControlReport> {
  const fleets: FleetReport[] = [];
  for (const gateways of plan.gateways) {
    for (const variant of plan.variants) fleets.push(await measureFleet(gateways, variant, plan.rounds, progress));
  }
  progress('messages at rest');
  const idle = await measureIdle();
  return {
    benchmark: 'control',
    taken: new Date().toISOString(),
    machine: thisMachine(),
    mosquitto: await withLab(brokerVersion),
    fleets,
    idle,
    floors: controlFloors(fleets, idle),
  };
}

async function measureFleet(
  gateways: number,
  variant: Variant,
  count: number,
  progress: (line: string) => void,
): Promise<FleetReport> {
  const rounds: ControlRound[] = [];
  for (let number = 1; number <= count; number += 1) {
    progress(`${gateways} gateways, ${variantName(variant)}, round ${number} of ${count}`);
    rounds.push(await takeRound(gateways, variant));
  }
  return summarise(gateways, variant, rounds);
}
