import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunResult, run } from '../lab/exec.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { apply } from '../netns/support/documents.ts';
import { leavings } from './support/leavings.ts';
import type { Relay, When } from './support/relay.ts';
import { relayedSite } from './support/relayed.ts';
import type { DockerSite } from './support/site.ts';

/** Answers one line on port 80 and waits for the next caller. */
const SERVE = ['sh', '-c', 'while true; do echo here | nc -l -p 80; done'] as const;
const SPOT = ['network', 'create', '-d', 'linkspan', '--subnet'] as const;
/** A dockerd that was killed ends what ran before it starts that again. */
const BACK_MS = 40_000;

const VICTIMS = ['linkspand', 'dockerd', 'both'] as const;
type Victim = (typeof VICTIMS)[number];
/** Resolves in the state, with what is to be done once the victims are dead; `done` is when the command has ended. */
type Reach = (done: Promise<unknown>) => Promise<() => void>;

const lab = new Lab();
let host: Namespace;
let plc: Namespace;
let site: DockerSite;
let relay: Relay;
let clean: readonly string[];
let subnets = 0;

const held =
  (call: string, when: When): Reach =>
  async () =>
    (await relay.hold(call, when)).cut;

/** Docker has moved the interface into its sandbox, up and with Docker's addresses, while linkspand stands still. */
const moved =
  (then: (inside: readonly string[]) => Promise<unknown>): Reach =>
  async (done) => {
    const calls = [relay.hold('Join', 'after'), ...[1, 2].map(() => relay.hold('EndpointOperInfo', 'after'))];
    const [join] = calls;
    // Docker's last questions; the sandbox comes with the container's process, after them.
    for (const call of calls.slice(0, 2)) (await call).pass();
    const last = await calls[2];
    const { process } = site.gateway;
    process.signal('SIGSTOP');
    last?.pass();
    const { SandboxKey: sandbox } = JSON.parse((await join)?.body ?? '{}') as { SandboxKey?: string };
    const inside = site.node.inside(['nsenter', `--net=${sandbox}`, 'ip', '-4', '-o', 'address']);
    await done;
    expect((await run([...inside, 'show', 'up', 'dev', 'eth0'])).stdout).toMatch(/inet 172\.(?!30\.)/);
    await then(inside);
    return () => process.signal('SIGCONT');
  };

/** As a hand-over leaves it that was killed after its first step. */
const withoutAddress = (inside: readonly string[]): Promise<unknown> => run([...inside, 'flush', 'dev', 'eth0']);

const attached: Reach = async () => {
  await site.attached(2);
  return () => undefined;
};

const ATTACH: Record<string, Reach> = {
  'before CreateEndpoint is heard': held('CreateEndpoint', 'before'),
  'before CreateEndpoint is answered': held('CreateEndpoint', 'after'),
  'between CreateEndpoint and Join': held('Join', 'before'),
  'before Join is answered': held('Join', 'after'),
  'moved into the sandbox, with Docker’s addresses': moved(() => Promise.resolve()),
  'moved, half re-addressed': moved(withoutAddress),
  running: attached,
};

const DETACH: Record<string, Reach> = {
  'before Leave is heard': held('Leave', 'before'),
  'before Leave is answered': held('Leave', 'after'),
  'between Leave and DeleteEndpoint': held('DeleteEndpoint', 'before'),
  'before DeleteEndpoint is answered': held('DeleteEndpoint', 'after'),
};

const NETWORK: Record<string, Reach> = {
  'before CreateNetwork is heard': held('CreateNetwork', 'before'),
  'before DeleteNetwork is answered': held('DeleteNetwork', 'after'),
  'before DeleteNetwork is heard': held('DeleteNetwork', 'before'),
  'before CreateNetwork is answered': held('CreateNetwork', 'after'),
};

/** Docker does not know such a network, or no more, and never comes back to it: it is collected later (see soak.test.ts). */
const staysAWhile = (victim: Victim, state: string): boolean =>
  state === 'before CreateNetwork is answered' || (victim === 'linkspand' && state === 'before DeleteNetwork is heard');

const matrix = (states: Record<string, Reach>): (readonly [Victim, string, Reach])[] =>
  Object.entries(states).flatMap(([state, reach]) => VICTIMS.map((victim) => [victim, state, reach] as const));

beforeAll(async () => {
  ({ host, plc, site, relay } = await relayedSite(lab, 'f'));
  await apply(site.gateway, 1, { networks: { cell: { driver: 'bridge', subnet: '172.30.0.0/24' } } });
  clean = await leavings(site, host);
}, 180_000);

afterAll(() => lab.close(), 60_000);

/** A test that failed is not to fail the next. */
afterEach(async () => {
  site.gateway.process.signal('SIGCONT');
  const containers = (await site.docker('ps', '-aq')).split('\n').filter((id) => id !== '');
  if (containers.length > 0) await site.docker('rm', '-f', ...containers);
  await site.docker('network', 'prune', '-f');
}, 60_000);

/** Kills the victims when the command has come to the state, and starts them again. */
async function killed(victim: Victim, reach: Reach, ...command: readonly string[]): Promise<void> {
  const { promise: done, resolve } = Promise.withResolvers<RunResult>();
  const state = reach(done);
  resolve(site.dockerd.attempt(...command));
  const letGo = await state;
  if (victim !== 'dockerd') await site.gateway.kill9();
  if (victim !== 'linkspand') await site.dockerd.kill9();
  letGo();
  if (victim !== 'dockerd') await site.restartGateway();
  if (victim !== 'linkspand') await site.dockerd.restart();
  const { code, stderr } = await done;
  // Docker repeats the call that broke off, but without its content: its user is to try again.
  if (victim === 'linkspand' && code !== 0) expect(stderr).toContain('repeat the command');
}

/** A network with a neighbour that always runs, and a container that may be started. */
async function cell(): Promise<void> {
  await site.docker('network', 'create', '-d', 'linkspan', '-o', 'network=cell', 'cell');
  // A dockerd that starts waits 10 s for what it finds running and does not end when asked.
  const always = ['--network', 'cell', '--restart', 'always', '--stop-signal', 'KILL'];
  await site.run('near', ...always);
  await site.docker('create', '--name', 'hmi', ...always, '-p', '8080:80', 'busybox', ...SERVE);
}

const answers = async (): Promise<boolean> =>
  (await plc.attempt('timeout', '2', 'busybox', 'nc', '10.20.0.1', '8080')).stdout === 'here\n';

/** Everything works as if nothing had been, and nothing is left when it is taken away. */
async function whole(): Promise<void> {
  await site.docker('start', 'hmi');
  await until('the neighbour to reach it', () => site.reaches('near', 'hmi'), BACK_MS);
  await until('it to reach the plant', () => site.reaches('hmi', '10.20.0.10'));
  await until('its port to be published', answers);
  await site.run('next', '--network', 'cell');
  // By its address: the name is told by the engine, out of band.
  expect(await site.reaches('near', await site.address('next'))).toBe(true);
  await site.docker('rm', '-f', 'near', 'hmi', 'next');
  await site.docker('network', 'rm', 'cell');
  await asBefore();
}

async function asBefore(): Promise<void> {
  const left = async (): Promise<readonly string[]> => (await leavings(site, host)).filter((l) => !clean.includes(l));
  await until('nothing to be left', async () => (await left()).length === 0).catch(() => undefined);
  expect(await leavings(site, host)).toEqual(clean);
}

describe('kill -9 of', () => {
  test.each(matrix(ATTACH))(
    '%s while a container starts: %s',
    async (victim, _, reach) => {
      await cell();
      await killed(victim, reach, 'start', 'hmi');
      await whole();
    },
    120_000,
  );

  test.each(matrix(DETACH))(
    '%s while a container stops: %s',
    async (victim, _, reach) => {
      await cell();
      await site.docker('start', 'hmi');
      await killed(victim, reach, 'stop', '-t', '0', 'hmi');
      await whole();
    },
    120_000,
  );

  // A dockerd 20.10 that dies while it removes a network panics at each start from then on, whatever the driver.
  const survivable = matrix(NETWORK).filter(([victim, state]) => victim === 'linkspand' || state.includes('Create'));
  const networks = survivable.toSorted(([a, one], [b, other]) => {
    return Number(staysAWhile(a, one)) - Number(staysAWhile(b, other));
  });
  // Last: nothing is as before where such a network stays.
  test.each(networks)(
    '%s while a network comes or goes: %s',
    async (victim, state, reach) => {
      subnets += 1;
      const create = [...SPOT, `172.31.${subnets}.0/24`, 'spot'];
      const removed = state.includes('DeleteNetwork');
      if (removed) await site.docker(...create);
      await killed(victim, reach, ...(removed ? ['network', 'rm', 'spot'] : create));
      await site.dockerd.attempt('network', 'rm', 'spot');
      if (!staysAWhile(victim, state)) await asBefore();
      await site.docker(...SPOT, '172.31.0.0/24', 'spot');
      await site.run('next', '--network', 'spot', '--stop-signal', 'KILL');
      expect(await site.reaches('next', '10.20.0.10')).toBe(true);
    },
    60_000,
  );
});
