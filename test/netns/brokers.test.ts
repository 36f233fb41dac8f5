import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Lab } from '../lab/lab.ts';
import { Mosquitto, siteBroker } from '../lab/mosquitto.ts';
import type { Namespace } from '../lab/namespace.ts';
import { PingStream } from '../lab/ping.ts';
import { until } from '../lab/wait.ts';
import { Wan } from '../lab/wan.ts';
import { learned, LineGateway } from './support/line.ts';
import { Members } from './support/members.ts';

const CUT_MS = 20_000;
const FROZEN_MS = 60_000;
const CENTRE = 101;

const lab = new Lab();
let wan: Wan;
/** a and c are at the site whose broker runs on a, b is alone at its site */
let a: LineGateway;
let b: LineGateway;
let c: LineGateway;
let wa: Namespace;
let siteA: Mosquitto;

const say = (what: string): void => void process.stdout.write(`brokers: ${what}\n`);
const clock = (): (() => number) => {
  const begun = performance.now();
  return () => Math.round(performance.now() - begun);
};

beforeAll(async () => {
  wan = await Wan.create(lab, [CENTRE]);
  const centre = await Mosquitto.start(lab, { namespace: wan.centre, address: Wan.address(CENTRE) });
  const [atA, atB, atC] = [await wan.gateway('gw-a', 1), await wan.gateway('gw-b', 2), await wan.gateway('gw-c', 3)];
  siteA = await siteBroker(lab, { namespace: atA, address: Wan.address(1), name: 'site-a', centre });
  const siteB = await siteBroker(lab, { namespace: atB, address: Wan.address(2), name: 'site-b', centre });
  [a, b, c] = await Promise.all([
    LineGateway.start(lab, atA, 'a', 1, siteA.url),
    LineGateway.start(lab, atB, 'b', 2, siteB.url),
    LineGateway.start(lab, atC, 'c', 3, siteA.url),
  ]);
  [wa] = await Promise.all([a.add('1', '10.110.0.1'), b.add('1', '10.110.0.2'), c.add('1', '10.110.0.3')]);
  await a.add('gone', '10.110.0.30');
  await Promise.all([a, c].map((gateway) => learned(gateway, '10.110.0.2')));
  await Promise.all([b, c].map((gateway) => learned(gateway, '10.110.0.30')));
}, 120_000);
afterAll(() => lab.close());

/** What `body` costs those who send frames within the site and across. */
async function withoutLoss(body: () => Promise<void>): Promise<void> {
  const streams = await Promise.all(['10.110.0.2', '10.110.0.3'].map((to) => PingStream.start(lab, wa, to, 20)));
  await body();
  for (const stream of streams) expect(await stream.stop()).toMatchObject({ lost: 0 });
}

const statesAtB = async (): Promise<string> => (await b.gateway.status()).peers.map(({ state }) => state).join();

test('the way to the central broker is cut: frames go on, each site goes on by its own, and both converge after it', async () => {
  await withoutLoss(async () => {
    const since = clock();
    await wan.centre.ip('address', 'del', `${Wan.address(CENTRE)}/24`, 'dev', 'br0');
    await a.add('new', '10.110.0.20');
    await b.add('new', '10.110.0.21');
    await a.remove('gone');
    say(`cut off, the site knows a change after ${await learned(c, '10.110.0.20')} ms`);
    await learned(c, '10.110.0.30', false);
    await sleep(CUT_MS - since());
    expect(await b.knows('10.110.0.20')).toBe(false);
    await wan.centre.ip('address', 'add', `${Wan.address(CENTRE)}/24`, 'dev', 'br0');
    const all = [learned(b, '10.110.0.20'), learned(a, '10.110.0.21'), learned(b, '10.110.0.30', false)];
    say(`after the cut, both know the changes after ${(await Promise.all(all)).join(', ')} ms`);
  });
  // what the brokers replay to each other in any order has come by now
  await sleep(3000);
  for (const gateway of [b, c]) expect(await gateway.knows('10.110.0.30')).toBe(false);
  for (const gateway of [b, c]) expect(await gateway.knows('10.110.0.20')).toBe(true);
}, 90_000);

test('a broker that freezes for a minute cuts off nobody, is told, and is caught up with', async () => {
  await withoutLoss(async () => {
    const since = clock();
    siteA.signal('SIGSTOP');
    await until('the gateway to tell', async () => !(await a.connected()), 40_000);
    say(`frozen, told after ${since()} ms`);
    await b.add('later', '10.110.0.22');
    await sleep(FROZEN_MS - since());
    expect((await a.gateway.status()).peers).toMatchObject([{ state: 'up' }, { state: 'up' }]);
    expect((await b.gateway.status()).peers).toMatchObject([{ state: 'up' }, { state: 'up' }]);
    siteA.signal('SIGCONT');
    say(`thawed, caught up after ${await learned(a, '10.110.0.22', true, 60_000)} ms`);
    await until('the gateway to be connected', () => a.connected(), 40_000);
  });
  await until('the others to see it up', async () => (await statesAtB()) === 'up,up', 40_000);
}, 180_000);

test('a broker whose disk is full serves on', async () => {
  const folder = join(await lab.folder(), 'disk');
  await lab.run(['mkdir', folder]);
  await lab.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'linkspan', folder]);
  lab.defer(() => lab.run(['umount', '-l', folder]));
  await lab.run(['dd', 'if=/dev/zero', `of=${join(folder, 'full')}`], { allowFailure: true });
  const extra = [
    'persistence true',
    `persistence_location ${folder}/`,
    'autosave_interval 1',
    'autosave_on_changes true',
  ];
  const full = await Mosquitto.start(lab, { namespace: wan.centre, address: Wan.address(CENTRE), port: 1884, extra });
  const plan = { urls: full.url, count: 20, networks: 4, of: 4, macs: 10 };
  const members = await Members.start(lab, wan.centre, plan);
  say(`with a full disk, 20 gateways know each other after ${await members.whole(20_000)} ms`);
  expect(full.log()).toMatch(/Error saving in-memory database|No space left/);
  await members.stop();
});
