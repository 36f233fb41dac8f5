import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connectAsync } from 'mqtt';
import { type Lab, withLab } from '../../lab/lab.ts';
import { type Broker, startBroker } from './broker.ts';
import { Fleet } from './fleet.ts';
import type { IdleOrder } from './idle-hours.ts';
import { GATEWAYS_A_VNI, Shape } from './shape.ts';

const PROGRAM = fileURLToPath(new URL('idle-hours.ts', import.meta.url));
const SETTLE_MS = 15_000;
const QUIET_MS = 20_000;
/** two days, at 50 ms an hour */
const [HOURS, HOUR_MS] = [48, 50];

/** Messages that gateways at rest publish, an hour and gateway. */
export type Idle = {
  /** in 20 seconds by the clock on the wall: what is said again and again */
  readonly quiet: number;
  /** in two days of a clock that runs faster: what is said by the hour */
  readonly simulated: number;
};

/** 40 gateways twice, each time on a broker of its own: three quarters of a minute. */
export async function measureIdle(): Promise<Idle> {
  return withLab(async (lab) => ({ quiet: await measureQuiet(lab), simulated: await measureHours(lab) }));
}

async function measureQuiet(lab: Lab): Promise<number> {
  const broker = await startBroker(lab, GATEWAYS_A_VNI, false);
  const fleet = await Fleet.build(lab, broker, new Shape(GATEWAYS_A_VNI), undefined);
  await fleet.coldStart();
  await sleep(SETTLE_MS);
  const count = await published(broker, QUIET_MS);
  await fleet.stop();
  return count / GATEWAYS_A_VNI / (QUIET_MS / 3_600_000);
}

async function measureHours(lab: Lab): Promise<number> {
  const broker = await startBroker(lab, GATEWAYS_A_VNI, false);
  const child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  lab.defer(() => child.kill('SIGKILL'));
  child.send({ gateways: GATEWAYS_A_VNI, access: broker.access } satisfies IdleOrder);
  await once(child, 'message');
  await sleep(SETTLE_MS);
  return (await published(broker, HOURS * HOUR_MS)) / GATEWAYS_A_VNI / HOURS;
}

/** How many messages come live in that time, on any topic. */
async function published({ access }: Broker, ms: number): Promise<number> {
  const client = await connectAsync(access.url);
  let count = 0;
  client.on('message', (_, __, { retain }) => void (count += retain ? 0 : 1));
  await client.subscribeAsync('#');
  await sleep(ms);
  await client.endAsync();
  return count;
}
