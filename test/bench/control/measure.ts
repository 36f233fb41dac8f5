import { setTimeout as sleep } from 'node:timers/promises';
import { connectAsync } from 'mqtt';
import { readCredentials } from '../../../src/control/session/credentials.ts';
import { withLab } from '../../lab/lab.ts';
import { type Broker, startBroker } from './broker.ts';
import { costOf, costOfAll } from './cost.ts';
import { Fleet } from './fleet.ts';
import { now } from './instant.ts';
import type { ControlRound } from './report.ts';
import { Shape } from './shape.ts';
import { makeSigning, type Signing } from './signing.ts';
import type { Variant } from './variant.ts';
import { takeView } from './view.ts';

/** Everything is asked for once more 5 to 10 s after a connection; then a fleet comes to rest, a large one later. */
const [SETTLE_MS, SETTLE_MAX_MS] = [13_000, 120_000];
/** Of one processor: then nothing is going on but what each gateway does all the time. */
const AT_REST = 0.1;
const BETWEEN_MS = 300;
export const MOVES = 20;

/** One broker, one fleet of so many, from its cold start on. */
export async function takeRound(gateways: number, variant: Variant): Promise<ControlRound> {
  return withLab(async (lab) => {
    const broker = await startBroker(lab, gateways, variant.tls);
    const shape = new Shape(gateways);
    const signing = variant.signed ? await enrol(broker, shape) : undefined;
    const fleet = await Fleet.build(lab, broker, shape, signing);
    const before = costOfAll(fleet.pids);
    const coldStart = await fleet.coldStart();
    const [brokerCost, clients] = [costOf(broker.pid), costOfAll(fleet.pids)];
    const lacking = await fleet.lacks();
    if (lacking > 0) throw new Error(`${lacking} MACs are missing though all gateways said that they have all`);
    await settle([broker.pid, ...fleet.pids]);
    const moves = await takeMoves(fleet);
    const { crashes, returns } = await takeCrashes(fleet);
    await fleet.stop();
    return {
      coldStart,
      view: await viewOf(gateways, variant),
      moves,
      crashes,
      returns,
      broker: brokerCost,
      clients: { cpu_s: clients.cpu_s - before.cpu_s, rss_mb: clients.rss_mb },
    };
  });
}

/** On a broker of its own. */
async function viewOf(gateways: number, variant: Variant): Promise<readonly number[]> {
  return withLab(async (lab) => {
    const broker = await startBroker(lab, gateways, variant.tls);
    const shape = new Shape(gateways);
    return takeView(lab, broker, shape, variant.signed ? await enrol(broker, shape) : undefined);
  });
}

/** Waits, two minutes at most, until what the start of a fleet has left to do is done. */
async function settle(pids: readonly number[]): Promise<void> {
  await sleep(SETTLE_MS);
  const end = now() + SETTLE_MAX_MS;
  for (;;) {
    const [before, at] = [costOfAll(pids).cpu_s, now()];
    await sleep(1000);
    const busy = ((costOfAll(pids).cpu_s - before) * 1000) / (now() - at);
    if (busy < AT_REST || now() > end) return;
  }
}

/** Has the broker retain the trust record of every gateway. */
async function enrol({ access }: Broker, shape: Shape): Promise<Signing> {
  const { signing, statements } = makeSigning(shape);
  const client = await connectAsync(access.url, await readCredentials(access));
  const retained = { qos: 1, retain: true } as const;
  await Promise.all(statements.map(({ topic, payload }) => client.publishAsync(topic, payload, retained)));
  await client.endAsync();
  return signing;
}

/** Each move is of another device, to a gateway that nothing has moved to before. */
async function takeMoves(fleet: Fleet): Promise<number[]> {
  const took: number[] = [];
  for (let nth = 0; nth < MOVES; nth += 1) {
    const to = Math.floor((nth * fleet.shape.gateways) / MOVES);
    const [vni] = fleet.shape.vnisOf(to);
    if (vni === undefined) throw new Error(`gateway ${to} is in no VNI`);
    const members = fleet.shape.membersOf(vni);
    const from = members[(members.indexOf(to) + 1 + nth) % members.length] ?? to;
    took.push(...(await fleet.move(vni, from, to)));
    await sleep(BETWEEN_MS);
  }
  return took;
}

async function takeCrashes(fleet: Fleet): Promise<{ crashes: number[]; returns: number[] }> {
  const [crashes, returns]: [number[], number[]] = [[], []];
  for (const index of fleet.loners) {
    crashes.push(...(await fleet.crash(index)));
    await sleep(BETWEEN_MS);
    returns.push(await fleet.comeBack(index));
    await sleep(BETWEEN_MS);
  }
  return { crashes, returns };
}
