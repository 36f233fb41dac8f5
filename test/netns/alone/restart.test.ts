import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Gateway, startGateway } from '../../lab/gateway.ts';
import { Lab } from '../../lab/lab.ts';
import { Mosquitto } from '../../lab/mosquitto.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { PingStream } from '../../lab/ping.ts';
import { until } from '../../lab/wait.ts';
import { Wan } from '../../lab/wan.ts';
import { builtService } from '../support/built.ts';
import { apply, workload } from '../support/documents.ts';
import { learned, LineGateway } from '../support/line.ts';
import { Members } from '../support/members.ts';
import { gatewayName } from '../support/names.ts';

/** With the real ones 141 other gateways, and 1541 MACs. */
const [FLEET, MACS] = [140, 11];
/** The figure that the control plane promises; measured from before the process is begun. */
const BACK_MS = 2000;
const CENTRE = 250;
/** as the members have them */
const OF_THE_FLEET = { fleet: 'plant', vni: 10_000 };
const LINE = { driver: 'overlay', vni: 10_000, subnet: '10.110.0.0/24' };

const lab = new Lab();
let wan: Wan;
let broker: Mosquitto;
let members: Members;
let a: Gateway;
let b: LineGateway;
let [wa, atA]: Namespace[] = [];

const say = (what: string): void => void process.stdout.write(`restart: ${what}\n`);

/** On a small disk of its own, which can be full. */
async function disk(): Promise<string> {
  const folder = join(await lab.folder(), 'disk');
  await lab.run(['mkdir', folder]);
  await lab.run(['mount', '-t', 'tmpfs', '-o', 'size=16m', 'linkspan', folder]);
  lab.defer(() => lab.run(['umount', '-l', folder]));
  return folder;
}

function startA(dir: string): Promise<Gateway> {
  const config = {
    gateway: gatewayName('a'),
    fleet: OF_THE_FLEET.fleet,
    underlay: { address: Wan.address(201) },
    mqtt: { url: broker.url },
    status: { listen: '127.0.0.1:0' },
  };
  if (!atA) throw new Error('no namespace');
  return startGateway(lab, { namespace: atA, config, dir });
}

/** MACs of other gateways in a's answer. */
async function told(): Promise<number> {
  const entries = JSON.parse((await a.get('/v1/fdb')).body) as { origin: string; mac: string }[];
  return entries.filter(({ origin, mac }) => origin === 'peer' && mac !== '00:00:00:00:00:00').length;
}

/** Workloads' MACs that a's kernel sends to other gateways. */
async function remoteMacs(): Promise<number> {
  const { stdout } = (await atA?.exec('bridge', 'fdb', 'show', 'dev', 'lsx-line')) ?? { stdout: '' };
  return stdout.split('\n').filter((line) => /^02:00:00:00:.* dst /.test(line)).length;
}

beforeAll(async () => {
  builtService();
  wan = await Wan.create(lab, [CENTRE]);
  broker = await Mosquitto.start(lab, { namespace: wan.centre, address: Wan.address(CENTRE) });
  atA = await wan.gateway('gw-a', 201);
  const atB = await wan.gateway('gw-b', 202);
  members = await Members.start(lab, wan.centre, { urls: broker.url, count: FLEET, networks: 1, of: 1, macs: MACS });
  // they count each other only
  await members.whole(60_000);
  a = await startA(await disk());
  b = await LineGateway.start(lab, atB, 'b', 202, broker.url, OF_THE_FLEET);
  wa = await lab.namespace('a-1');
  await apply(a, 1, {
    networks: { line: LINE },
    workloads: {
      [`${gatewayName('a')}-1`]: workload(wa, { line: { address: '10.110.0.201', mac: '02:00:00:00:00:c9' } }),
    },
  });
  await b.add('1', '10.110.0.202');
  await learned(b, '10.110.0.201');
  await until('all to be known', async () => (await remoteMacs()) === FLEET * MACS + 1, 60_000);
}, 180_000);
afterAll(() => lab.close());

test('without a broker a killed service has all peers and their MACs back within two seconds, and no frame is lost', async () => {
  await members.stop();
  await broker.stop();
  await until('the broker to be missed', async () => !(await a.status()).broker.connected);
  if (!wa || !atA) throw new Error('no workload');
  const stream = await PingStream.start(lab, wa, '10.110.0.202', 20);
  await a.kill9();
  // what a machine that was switched off comes back without
  await atA.exec('ip', 'link', 'show', 'lsx-line');
  const begun = performance.now();
  a = await startA(a.dir);
  const { peers } = await a.status();
  const ms = Math.round(performance.now() - begun);
  say(`${peers.length} peers in the status ${ms} ms after the start`);
  expect(peers).toHaveLength(FLEET + 1);
  expect(await remoteMacs()).toBe(FLEET * MACS + 1);
  expect(await told()).toBe(FLEET * MACS + 1);
  expect(ms).toBeLessThan(BACK_MS);
  expect(await stream.stop()).toMatchObject({ lost: 0 });
}, 60_000);

test('and so it has them when the machine itself comes back, with nothing in the kernel', async () => {
  if (!wa || !atA) throw new Error('no workload');
  await a.kill9();
  await atA.exec('ip', 'link', 'del', 'lsx-line');
  const begun = performance.now();
  a = await startA(a.dir);
  const known = await remoteMacs();
  const ms = Math.round(performance.now() - begun);
  say(`${known} MACs in the kernel ${ms} ms after the start`);
  expect(known).toBe(FLEET * MACS + 1);
  expect(ms).toBeLessThan(BACK_MS);
  await until('frames to pass', async () => (await wa?.reaches('10.110.0.202')) === true, 5000);
}, 60_000);

test.each([
  ['killed', () => a.kill9()],
  // the log and index of its database are gone then, and have to be made again
  ['stopped', () => a.stop()],
])(
  'with a full disk it starts after it was %s: what runs goes on, and it goes on by itself',
  async (_, end) => {
    await broker.restart();
    await until('the broker to be back', async () => (await a.status()).broker.connected, 60_000);
    const { epoch } = await a.status();
    if (!wa || epoch === null) throw new Error('no workload or epoch');
    const stream = await PingStream.start(lab, wa, '10.110.0.202', 20);
    await end();
    await lab.run(['dd', 'if=/dev/zero', `of=${join(a.dir, 'full')}`, 'bs=4k'], { allowFailure: true });
    await broker.restart();
    a = await startA(a.dir);
    const status = await a.status();
    expect(status).toMatchObject({ epoch: null, broker: { connected: false }, health: { ok: false, ready: true } });
    expect(status.health.reasons.join()).toMatch(/not stored in .*linkspan\.db.*free some space/);
    expect(a.log()).toMatch(/linkspan\.db.*free some space/);
    expect(status.peers).toHaveLength(FLEET + 1);
    expect(await remoteMacs()).toBe(FLEET * MACS + 1);
    expect(broker.log()).not.toContain(gatewayName('a'));

    await lab.run(['rm', join(a.dir, 'full')]);
    await until('it to be on the broker', async () => (await a.status()).broker.connected, 20_000);
    expect(await a.status()).toMatchObject({ epoch: epoch + 1, health: { ok: true } });
    expect(await stream.stop()).toMatchObject({ lost: 0 });
  },
  120_000,
);
