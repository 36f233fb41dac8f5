import { messageOf } from '../../../src/service/errors.ts';
import { withLab } from '../../lab/lab.ts';
import { thisMachine } from '../machine.ts';
import { brokerVersion } from './broker.ts';
import { type Attempt, controlFloors } from './floors.ts';
import { measureIdle } from './idle.ts';
import { takeRound } from './measure.ts';
import { type ControlReport, type ControlRound, summarise } from './report.ts';
import { type Variant, variantName } from './variant.ts';

export type ControlPlan = {
  readonly gateways: readonly number[];
  readonly variants: readonly Variant[];
  readonly rounds: number;
};

/**
 * Measures fleets of each size in each variant, one after the other: half a minute a round, two for 2000. A round that
 * does not run to its end is told and left out; the rest goes on.
 */
export async function benchControl(plan: ControlPlan, progress: (line: string) => void): Promise<ControlReport> {
  const attempts: Attempt[] = [];
  const failures: string[] = [];
  const fail = (what: string, error: unknown): void => {
    failures.push(`${what}: ${messageOf(error)}`);
    progress(`failed: ${messageOf(error)}`);
  };
  for (const gateways of plan.gateways) {
    for (const variant of plan.variants)
      attempts.push(await measureFleet(gateways, variant, plan.rounds, progress, fail));
  }
  progress('messages at rest');
  const idle = await measureIdle();
  return {
    benchmark: 'control',
    taken: new Date().toISOString(),
    machine: thisMachine(),
    mosquitto: await withLab(brokerVersion),
    fleets: attempts.flatMap(({ report }) => report ?? []),
    failures,
    idle,
    floors: controlFloors(attempts, idle),
  };
}

async function measureFleet(
  gateways: number,
  variant: Variant,
  count: number,
  progress: (line: string) => void,
  fail: (what: string, error: unknown) => void,
): Promise<Attempt> {
  const rounds: ControlRound[] = [];
  for (let number = 1; number <= count; number += 1) {
    const what = `${gateways} gateways, ${variantName(variant)}, round ${number} of ${count}`;
    progress(what);
    await takeRound(gateways, variant).then(
      (round) => void rounds.push(round),
      (error: unknown) => fail(what, error),
    );
  }
  return { gateways, variant, report: rounds.length > 0 ? summarise(gateways, variant, rounds) : undefined };
}
