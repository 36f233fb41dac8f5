import { DockerSite } from '../../docker/support/site.ts';
import type { EngineName } from '../../lab/docker-engines.ts';
import { type Lab, withLab } from '../../lab/lab.ts';
import { serve } from '../iperf.ts';
import { thisMachine } from '../machine.ts';
import type { How, Values } from '../measures.ts';
import { MEASURES } from '../measures.ts';
import { takeRound } from '../rounds.ts';
import { acrossSites } from '../topologies/docker.ts';
import type { LabName } from '../topologies/ends.ts';
import { TimedDriver } from './calls.ts';
import { compare, type Pair, type Side, SIDES } from './comparison.ts';
import { timeFirstReply } from './first-reply.ts';
import { attachFloors } from './floors.ts';
import { GUEST, makeGuest, type Networks, type Operation, OPERATIONS, timeOperations } from './operations.ts';
import type { AcrossReport, AttachReport, GatewayReport } from './report.ts';
import { TRAFFIC } from './report.ts';

export type AttachPlan = {
  readonly engine: EngineName;
  readonly labs: readonly LabName[];
  readonly rounds: number;
} & How;

type Progress = (line: string) => void;

/** A command takes a fraction of a second and scatters: each round of the others' has so many of them. */
const TURNS = 4;
/** With five rounds 300, so that the 99th percentile is not the slowest of all. */
const CALLS_A_ROUND = 60;

const NETWORKS: Networks = { linkspan: 'ls', docker: 'mv' };
const TIMED = { driver: 'timed', network: 'timed' } as const;

/** Each on an uplink of its own: what a parent has to do for the children of one is not done for the other's. */
async function makeGateway(lab: Lab, engine: EngineName): Promise<{ site: DockerSite; driver: TimedDriver }> {
  const [gateway, plant] = [await lab.namespace('attach-gw'), await lab.namespace('attach-plant')];
  for (const lan of ['lan0', 'lan1']) await lab.veth(gateway, lan, plant, lan);
  const mqtt = { embedded: { listen: '127.0.0.1:0' } };
  const config = { gateway: `bench-attach-${process.pid}`, underlay: { address: '127.0.0.1' }, mqtt };
  const site = await DockerSite.start(lab, { namespace: gateway, engine, config });
  const driver = await TimedDriver.start(lab, site.node, TIMED.driver, 'linkspan');
  const create = (kind: string, parent: string, subnet: string, name: string): Promise<string> =>
    site.docker('network', 'create', '-d', kind, '-o', `parent=${parent}`, '--subnet', subnet, name);
  await create('linkspan', 'lan0', '10.20.0.0/24', NETWORKS.linkspan);
  await create('macvlan', 'lan1', '10.21.0.0/24', NETWORKS.docker);
  await create(TIMED.driver, 'lan0', '10.22.0.0/24', TIMED.network);
  await makeGuest(site);
  return { site, driver };
}

/** A container that runs already is connected and disconnected, without a pause. */
async function callPlugin(site: DockerSite): Promise<void> {
  for (let call = 0; call < CALLS_A_ROUND; call++) {
    await site.docker('network', 'connect', TIMED.network, GUEST);
    await site.docker('network', 'disconnect', TIMED.network, GUEST);
  }
}

const inWords = (values: Pair): string => SIDES.map((side) => `${side} ${values[side].toPrecision(3)}`).join(', ');

function measureGateway({ engine, rounds }: AttachPlan, progress: Progress): Promise<GatewayReport> {
  return withLab(async (lab) => {
    const { site, driver } = await makeGateway(lab, engine);
    const turns: Readonly<Record<Operation, Pair>>[] = [];
    for (let turn = 0; turn < rounds * TURNS; turn++) {
      const took = await timeOperations(site, NETWORKS, turn);
      for (const operation of OPERATIONS) {
        progress(`turn ${turn + 1} of ${rounds * TURNS}, ${operation}, ms: ${inWords(took[operation])}`);
      }
      turns.push(took);
      if (turn % TURNS === TURNS - 1) await callPlugin(site);
    }
    const compared = OPERATIONS.map((operation) => [operation, compare(turns.map((turn) => turn[operation]))]);
    return { operations: Object.fromEntries(compared), calls: driver.figures() };
  });
}

function measureAcross(name: LabName, plan: AttachPlan, progress: Progress): Promise<AcrossReport> {
  return withLab(async (lab) => {
    const sites = await acrossSites(lab, name, plan.engine);
    const paths = new Map(SIDES.map((side) => [side, sites.paths[side]]));
    for (const path of paths.values()) await serve(lab, path);
    const measures = MEASURES.filter(({ key }) => TRAFFIC.some((traffic) => traffic === key));
    const firstReplies: Pair[] = [];
    const rounds: Readonly<Partial<Record<Side, Values>>>[] = [];
    for (let number = 0; number < plan.rounds; number++) {
      const say = (said: string): void => progress(`${name}, round ${number + 1} of ${plan.rounds}, ${said}`);
      const reply = await timeFirstReply(lab, sites, number);
      say(`first reply, ms: ${inWords(reply)}`);
      firstReplies.push(reply);
      rounds.push(await takeRound({ number, paths, measures, how: plan }, say));
    }
    const traffic = TRAFFIC.map((metric) => [metric, compare(rounds.map((round) => pairOf(round, metric)))]);
    return { lab: name, firstReply: compare(firstReplies), ...Object.fromEntries(traffic) } as AcrossReport;
  });
}

function pairOf(round: Readonly<Partial<Record<Side, Values>>>, metric: (typeof TRAFFIC)[number]): Pair {
  const of = (side: Side): number => round[side]?.[metric] ?? Number.NaN;
  return { linkspan: of('linkspan'), docker: of('docker') };
}

/** Measures attaching on one gateway, and then the way between two of them in each lab. */
export async function benchAttach(plan: AttachPlan, progress: Progress): Promise<AttachReport> {
  const gateway = await measureGateway(plan, progress);
  const across: AcrossReport[] = [];
  for (const name of plan.labs) across.push(await measureAcross(name, plan, progress));
  return {
    benchmark: 'attach',
    taken: new Date().toISOString(),
    machine: thisMachine(),
    engine: plan.engine,
    rounds: plan.rounds,
    seconds: plan.seconds,
    congestion: plan.congestion,
    gateway,
    across,
    floors: attachFloors(gateway, across),
  };
}
