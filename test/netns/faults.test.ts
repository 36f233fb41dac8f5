import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import Database from 'better-sqlite3';
import { peerRepository } from '../../src/store/peers.ts';
import type { Gateway } from '../lab/gateway.ts';
import { startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { PingStream } from '../lab/ping.ts';
import type { LabProcess } from '../lab/process.ts';
import { type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply, applyText, documentText, type Spec, workload } from './support/documents.ts';
import { kernelState } from './support/kernel-state.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { seededRandom } from './support/random.ts';
import { gatewayName } from './support/names.ts';

const GW_A = gatewayName('a');
const GW_B = gatewayName('b');
const KILLS = 50;
const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' };
const CELL = { driver: 'bridge', subnet: '172.30.0.0/24' };

const lab = new Lab();
let sites: Sites;
let fleet: FleetBroker;
let a: Gateway;
let b: Gateway;
let a1: Namespace;
let a2: Namespace;
let b1: Namespace;
let b2: Namespace;

function config(gateway: string, address: string): Record<string, unknown> {
  const { url } = fleet.broker;
  return { gateway, fleet: 'plant', underlay: { address }, mqtt: { url }, status: { listen: '127.0.0.1:0' } };
}

/** The steady workload at each site, and a second one that changes with every version. */
function changing(version: number, steady: Record<string, unknown>, second: Namespace, name: string): Spec {
  const address = `10.110.0.${100 + (version % 100)}`;
  const extra =
    version % 3 === 0 ? {} : { [name]: workload(second, { line: { address }, ...(version % 2 ? { cell: {} } : {}) }) };
  return { networks: { line: LINE, cell: CELL }, workloads: { ...steady, ...extra } };
}

beforeAll(async () => {
  builtService();
  sites = await twoSites(lab);
  fleet = await startBroker(lab, sites.a.gateway, sites.a.underlay);
  [a1, a2] = [await sites.a.workload('w1'), await sites.a.workload('w2')];
  [b1, b2] = [await sites.b.workload('w1'), await sites.b.workload('w2')];
  a = await startGateway(lab, { namespace: sites.a.gateway, config: config(GW_A, sites.a.underlay) });
  b = await startGateway(lab, { namespace: sites.b.gateway, config: config(GW_B, sites.b.underlay) });
  await apply(a, 1, changing(3, steadyA(), a2, 'a2'));
  await apply(b, 1, changing(3, steadyB(), b2, 'b2'));
  await until('the sites to reach each other', () => a1.reaches('10.110.0.21'));
});
afterAll(() => lab.close());

const steadyA = (): Record<string, unknown> => ({ a1: workload(a1, { line: { address: '10.110.0.11' } }) });
const steadyB = (): Record<string, unknown> => ({ b1: workload(b1, { line: { address: '10.110.0.21' } }) });

/** The service without waiting for it: it may be killed before it answers. */
function launch(gateway: Gateway, namespace: Namespace): Promise<LabProcess> {
  return lab.process(namespace, [process.execPath, builtService(), '--config', `${gateway.dir}/linkspand.json`]);
}

/** Milliseconds from a start to the first answer on the control socket; that service is killed again. */
async function timeToAnswer(gateway: Gateway, namespace: Namespace): Promise<number> {
  const started = performance.now();
  const service = await launch(gateway, namespace);
  await until('the service to answer', async () => (await gateway.get('/v1/status')).code === 200, 30_000);
  const taken = performance.now() - started;
  await service.kill9();
  return taken;
}

const versionOf = async (gateway: Gateway): Promise<number> => (await gateway.status()).config.applied_version ?? 0;

test('killed 50 times at any moment, frames flow and no accepted document is lost', async () => {
  const seed = Number(process.env['LINKSPAN_TEST_SEED'] ?? Date.now() % 1_000_000);
  process.stdout.write(`faults: LINKSPAN_TEST_SEED=${seed}\n`);
  const random = seededRandom(seed);
  const stream = await PingStream.start(lab, a1, '10.110.0.21');
  let [version, accepted, versionB] = [1, 1, 1];
  const state = { running: true };
  const documentsOf = async (
    gateway: Gateway,
    next: () => number,
    done: (version: number) => void,
    spec: (v: number) => Spec,
  ): Promise<void> => {
    while (state.running) {
      const mine = next();
      const { code } = await applyText(gateway, documentText(mine, spec(mine)));
      if (code === 0) done(mine);
      // Each call of the command line costs a core for a third of a second; the service must get its share of two.
      await sleep(500 + random() * 500);
    }
  };
  const workA = documentsOf(
    a,
    () => (version += 1),
    (v) => (accepted = v),
    (v) => changing(v, steadyA(), a2, 'a2'),
  );
  const workB = documentsOf(
    b,
    () => (versionB += 1),
    () => undefined,
    (v) => changing(v, steadyB(), b2, 'b2'),
  );
  await a.kill9();
  const startMs = await timeToAnswer(a, sites.a.gateway);
  const survived: number[] = [];
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const service = await launch(a, sites.a.gateway);
    // As often while it starts as while it works, however slow this machine is today.
    await sleep(random() * 2 * startMs);
    const known = accepted;
    await service.kill9();
    survived.push(known);
  }
  state.running = false;
  await Promise.all([workA, workB]);
  services.push(await launch(a, sites.a.gateway));
  const last = await until(
    'the newest document to be applied',
    async () => {
      const { config: status } = await a.status();
      return status.state === 'applied' && status.applied_version;
    },
    20_000,
  );
  const result = await stream.stop();
  expect({ seed, ...result, longestGapMs: 0 }).toEqual({
    seed,
    sent: result.sent,
    received: result.sent,
    lost: 0,
    longestGapMs: 0,
  });
  expect(result.sent).toBeGreaterThan(1000);
  // A document whose answer the kill cut off may be stored as well.
  expect(last).toBeGreaterThanOrEqual(accepted);
  expect(last).toBeLessThanOrEqual(version);
  expect(new Set(survived).size).toBeGreaterThan(3);
  const addresses = await a2.ip('-4', 'address', 'show');
  expect(addresses.stdout.includes(`10.110.0.${100 + (last % 100)}/24`)).toBe(last % 3 !== 0);
  const { stdout: links } = await sites.a.gateway.ip('link', 'show');
  expect(links).not.toContain('lst-');
  expect(await versionOf(b)).toBeGreaterThan(1);
}, 480_000);

const uplink = (name: string): Spec => ({ uplinks: { lan: { interface: name } }, networks: { line: LINE } });
const vni = (value: number): Spec => ({ networks: { line: { ...LINE, vni: value } } });

describe('one gateway', () => {
  let version = 100_000;

  test('attach and detach on the command line', async () => {
    // only over the broker does the other site hear where a new MAC is
    await until('the gateway to be back on the broker', async () => (await a.status()).broker.connected, 20_000);
    const attached = await a.cli(
      'attach',
      'spot',
      'line',
      '--netns',
      a2.name,
      '--address',
      '10.110.0.77',
      '--interface',
      'spot0',
      '--json',
    );
    expect(attached).toMatchObject({ code: 0 });
    expect(JSON.parse(attached.stdout)).toMatchObject({
      workload: 'spot',
      interface: 'spot0',
      addresses: ['10.110.0.77/24'],
    });
    expect(await a2.reaches('10.110.0.21', 3)).toBe(true);
    expect(await a.cli('detach', 'spot', 'line')).toMatchObject({ code: 0 });
    expect(await a2.attempt('ip', 'link', 'show', 'spot0')).toMatchObject({ code: 1 });
    expect(await a.cli('detach', 'spot', 'line')).toMatchObject({ code: 4 });
    expect(await a.cli('attach', 'spot', 'nowhere', '--netns', a2.name)).toMatchObject({ code: 4 });
    expect(await a.cli('detach', 'a1', 'line')).toMatchObject({ code: 5 });
    expect(await a.cli('attach', 'a1', 'line', '--netns', a2.name)).toMatchObject({ code: 5 });
    expect(await a1.reaches('10.110.0.21')).toBe(true);
  });

  test('attaches in quick succession do not undo each other', async () => {
    const names = ['p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8'];
    const results = await Promise.all(
      names.map(async (name, index) => {
        await sleep(index * 70);
        return a.cli('attach', name, 'line', '--netns', a2.name, '--interface', name);
      }),
    );
    expect(results.map(({ code, stderr }) => ({ code, stderr }))).toEqual(names.map(() => ({ code: 0, stderr: '' })));
    await Promise.all(names.map((name) => a.cli('detach', name)));
  });

  test('an attach that fails leaves the earlier one of the same workload as it was', async () => {
    expect(await a.cli('attach', 'spot', 'line', '--netns', a2.name, '--interface', 'spot0')).toMatchObject({
      code: 0,
    });
    expect(await a.cli('attach', 'spot', 'line', '--netns', 'no-such-namespace')).toMatchObject({ code: 1 });
    const endpoints = (await a.status()).endpoints.filter((endpoint) => endpoint.workload === 'spot');
    expect(endpoints).toMatchObject([{ interface: 'spot0', state: 'attached' }]);
    expect(await a.cli('detach', 'spot')).toMatchObject({ code: 0 });
  });

  test('an attachment made on the spot survives kill -9', async () => {
    expect(await a.cli('attach', 'spot', 'line', '--netns', a2.name, '--interface', 'spot0')).toMatchObject({
      code: 0,
    });
    a = await restarted();
    const endpoints = (await a.status()).endpoints.filter((endpoint) => endpoint.workload === 'spot');
    expect(endpoints).toMatchObject([{ network: 'line', interface: 'spot0', state: 'attached' }]);
    expect(await a.cli('detach', 'spot')).toMatchObject({ code: 0 });
  });

  const envelope = (change: Record<string, unknown>) => (): string =>
    JSON.stringify({ v: 1, version: version + 1, spec: {}, ...change });
  const bad: readonly [what: string, text: () => string, words: string][] = [
    ['cut off', () => documentText(version + 1, uplink('lan0')).slice(0, 40), 'JSON'],
    ['not UTF-8 text but an array', () => '{"v":1,"version":[],"spec":{}}', '/version'],
    ['an unknown key', envelope({ spec: { netwroks: {} } }), '/spec/netwroks'],
    [
      '10 MB',
      () => documentText(version + 1, { networks: {} }).replace('{', `{${' '.repeat(10 << 20)}`),
      'larger than',
    ],
    ['VNI 0', () => documentText(version + 1, vni(0)), '/spec/networks/line/vni'],
    ['VNI 2^24', () => documentText(version + 1, vni(2 ** 24)), '/spec/networks/line/vni'],
    ['another gateway’s', envelope({ gateway: 'gw-z' }), '/gateway'],
    ['a missing interface', () => documentText(version + 1, uplink('eth99')), '/spec/uplinks/lan/interface'],
    ['an old version', () => documentText(1, {}), '/version'],
    [
      'an unknown driver',
      () => documentText(version + 1, { networks: { n: { driver: 'hub' } } }),
      '/spec/networks/n/driver',
    ],
  ];

  test.each(bad)('a document that is %s is refused by name, and nothing changes', async (_what, text, words) => {
    version += 1;
    await apply(a, version, changing(1, steadyA(), a2, 'a2'));
    const before = await kernelState(sites.a.gateway, [a1, a2]);
    const { code, stderr } = await applyText(a, text());
    expect({ code, stderr }).toEqual({ code: 5, stderr: expect.stringContaining(words) });
    await sleep(300);
    expect(await kernelState(sites.a.gateway, [a1, a2])).toBe(before);
    expect(await versionOf(a)).toBe(version);
  });

  test('a damaged state file takes nothing down; the next document takes over', async () => {
    version += 1;
    await apply(a, version, changing(1, steadyA(), a2, 'a2'));
    await stopped();
    const before = await kernelState(sites.a.gateway, [a1, a2]);
    // Both: SQLite heals a damaged page from the log that holds it.
    for (const file of ['linkspan.db', 'linkspan.db-wal']) {
      await writeFile(`${a.dir}/${file}`, 'no database '.repeat(1000));
    }
    await fleet.broker.stop();
    a = await restarted();
    expect(await kernelState(sites.a.gateway, [a1, a2])).toBe(before);
    const { health } = await a.status();
    expect(health).toMatchObject({ ok: false, ready: true, reasons: [expect.stringContaining('document was lost')] });
    await apply(a, version, changing(1, steadyA(), a2, 'a2'));
    expect((await a.status()).health.reasons).toEqual([]);
    expect(await a1.ip('-4', 'address', 'show')).toMatchObject({ stdout: expect.stringContaining('10.110.0.11/24') });
    await fleet.broker.restart();
    await until('the gateway to be back on the broker', async () => (await a.status()).broker.connected, 40_000);
  });

  test('a second instance on the same state is refused', async () => {
    const second = await launch(a, sites.a.gateway);
    expect(await second.exited).toBe(1);
    expect(second.log()).toContain('another Linkspan instance');
    expect((await a.status()).gateway).toBe(GW_A);
  });

  test('a state path that cannot be written ends it with a message', async () => {
    const [code, text] = await ends({
      ...config('gw-x', '198.51.100.1'),
      state: { path: '/proc/linkspan/linkspan.db' },
    });
    expect({ code, text }).toEqual({ code: 1, text: expect.stringContaining('/proc/linkspan') });
  });

  test('a bad configuration and an unknown flag have their exit codes', async () => {
    const [code, text] = await ends({ gateway: 'Not A Name' }, '--check');
    expect({ code, text }).toEqual({ code: 78, text: expect.stringContaining('gateway') });
    const [flagCode, flagText] = await ends({ gateway: 'gw-x' }, '--frobnicate');
    expect({ flagCode, flagText }).toEqual({ flagCode: 2, flagText: expect.stringContaining('--frobnicate') });
    const [good] = await ends({ gateway: 'gw-x' }, '--check');
    expect(good).toBe(0);
  });

  test('a broker that refuses connections leaves everything else working', async () => {
    // An earlier test lost the state file, and the peers with it.
    await until('the other site to be known again', async () =>
      (await a.status()).peers.some(({ state }) => state === 'up'),
    );
    await until('it to be on the disk', () => keptPeers(a) > 0);
    await fleet.broker.stop();
    a = await restarted();
    expect((await a.status()).broker.connected).toBe(false);
    expect((await a.status()).health.ok).toBe(true);
    version += 1;
    await apply(a, version, changing(2, steadyA(), a2, 'a2'));
    expect(await a1.reaches('10.110.0.21')).toBe(true);
    await fleet.broker.restart();
    await until('the gateway to be back on the broker', async () => (await a.status()).broker.connected, 40_000);
  });
});

/** Services of gw-a that were launched beside the handle `a`. */
const services: LabProcess[] = [];

async function stopped(): Promise<void> {
  await Promise.all(services.splice(0).map((service) => service.kill9()));
  await a.kill9();
}

async function restarted(): Promise<Gateway> {
  await stopped();
  return startGateway(lab, { namespace: sites.a.gateway, dir: a.dir, config: config(GW_A, sites.a.underlay) });
}

/** Peers' records in the gateway's state file. */
function keptPeers(gateway: Gateway): number {
  const database = new Database(`${gateway.dir}/linkspan.db`, { readonly: true });
  const { length } = peerRepository(database).loadRecords();
  database.close();
  return length;
}

async function ends(
  configuration: Record<string, unknown>,
  ...flags: readonly string[]
): Promise<[number | string, string]> {
  const file = `${await lab.folder()}/linkspand.json`;
  await writeFile(file, JSON.stringify(configuration));
  const service = await lab.process(sites.a.gateway, [process.execPath, builtService(), '--config', file, ...flags]);
  return [await service.exited, service.log()];
}
