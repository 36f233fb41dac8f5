import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { MqttClient } from 'mqtt';
import { run } from '../lab/exec.ts';
import { linkName } from '../../src/drivers/naming.ts';
import type { Gateway } from '../lab/gateway.ts';
import { startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import { Mosquitto } from '../lab/mosquitto.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply, applyText, documentText, workload } from './support/documents.ts';
import { gatewayName } from './support/names.ts';

const GW = gatewayName('a');
const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' };

const lab = new Lab();
let sites: Sites;
let forger: MqttClient;
let a: Gateway;
let w1: Namespace;
let w2: Namespace;
let version = 0;

const next = (): number => (version += 1);
const host = (): Namespace => sites.a.gateway;
const names = async (namespace: Namespace): Promise<string[]> =>
  (await namespace.ipJson<{ ifname: string }[]>('link', 'show')).map(({ ifname }) => ifname);
const problems = async (): Promise<string> => JSON.stringify((await a.status()).config.errors);

async function table(): Promise<string> {
  return (await host().exec('bridge', 'fdb', 'show', 'dev', 'lsx-line')).stdout;
}

function forge(topic: string, body: Record<string, unknown>): Promise<unknown> {
  const name = `linkspan/v1/plant/${topic}`;
  return forger.publishAsync(name, JSON.stringify({ v: 1, epoch: 1, seq: 1, ...body }), { qos: 1, retain: true });
}

beforeAll(async () => {
  builtService();
  sites = await twoSites(lab);
  const path = join(await lab.folder(), 'mqtt.sock');
  const { underlay, gateway } = sites.a;
  const extra = [`listener 0 ${path}`];
  const { url } = await Mosquitto.start(lab, { namespace: gateway, address: underlay, extra });
  forger = new MqttClient(() => connect(path), { reconnectPeriod: 0 });
  lab.defer(() => forger.endAsync(true));
  [w1, w2] = [await sites.a.workload('w1'), await sites.a.workload('w2')];
  const config = { gateway: GW, fleet: 'plant', underlay: { address: underlay }, mqtt: { url } };
  a = await startGateway(lab, { namespace: gateway, config: { ...config, status: { listen: '127.0.0.1:0' } } });
});
afterAll(() => lab.close());

test('one namespace by name and by pid: the second workload waits and is told for which name', async () => {
  const inside = await lab.process(w1, ['sleep', '600']);
  const second = (networks: Record<string, unknown>): unknown => ({ sandbox: { pid: inside.pid }, networks });
  const workloads = { x: workload(w1, { line: {} }), y: second({ line: {} }) };
  await until('the process to be inside', async () => (await run(['ip', 'netns', 'pids', w1.name])).stdout !== '');
  await apply(a, next(), { networks: { line: LINE }, workloads });
  expect(await problems()).toContain("interface eth0 is workload x's on line; name another");
  await apply(a, next(), {
    networks: { line: LINE },
    workloads: { ...workloads, y: second({ line: { interface: 'eth1' } }) },
  });
  expect(await names(w1)).toEqual(expect.arrayContaining(['eth0', 'eth1']));
  const { code, stderr } = await a.cli('attach', 'z', 'line', '--netns', w1.name);
  expect([code, stderr]).toEqual([1, expect.stringContaining('on line; name another with')]);
});

test('an interface may be named like a word of ip', async () => {
  await apply(a, next(), { networks: { line: LINE }, workloads: { x: workload(w2, { line: { interface: 'up' } }) } });
  expect(await names(w2)).toContain('up');
  await apply(a, next(), { networks: { line: LINE } });
  expect(await names(w2)).not.toContain('up');
});

test('a namespace made again while a process holds the old one: told, and attached once that ends', async () => {
  const sandbox = await sites.a.workload('held');
  await apply(a, next(), { networks: { line: LINE }, workloads: { x: workload(sandbox, { line: {} }) } });
  const holder = await lab.process(sandbox, ['sleep', '600']);
  await until('the process to be inside', async () => (await run(['ip', 'netns', 'pids', sandbox.name])).stdout !== '');
  await run(['ip', 'netns', 'delete', sandbox.name]);
  await run(['ip', 'netns', 'add', sandbox.name]);
  await until('the reason to be told', async () => (await problems()).includes('end the processes that still hold'));
  expect(await problems()).toContain('/spec/workloads/x/networks/line');
  await holder.kill9();
  await until('the workload to be attached', async () => (await names(sandbox)).includes('eth0'));
});

test("a foreign interface of a temporary name is not deleted, nor another gateway's interface in our namespace", async () => {
  await apply(a, next(), { networks: { line: LINE } });
  const temporary = linkName('lst', 'w2/line');
  await host().ip('link', 'add', 'eth9', 'group', '19539', 'type', 'bridge');
  await host().ip('link', 'set', 'eth9', 'alias', 'linkspan:elsewhere:endpoint/x/line');
  await host().ip('link', 'add', temporary, 'type', 'bridge');
  const spec = { networks: { line: LINE }, workloads: { w2: workload(w2, { line: {} }) } };
  await applyText(a, documentText(next(), spec));
  await until('the interface in the way to be named', async () => (await problems()).includes(temporary));
  expect(await names(host())).toEqual(expect.arrayContaining(['eth9', temporary]));
  await host().ip('link', 'delete', temporary);
  await until('the workload to be attached', async () => (await names(w2)).includes('eth0'));
});

test("a bridge network over the gateway's own subnet waits and cuts nothing off", async () => {
  const cell = { driver: 'bridge', subnet: '198.51.100.0/25' };
  await applyText(a, documentText(next(), { networks: { cell } }), '--wait', '20');
  expect(await problems()).toContain("overlaps 198.51.100.1/24 of this gateway's wan0");
  expect(await host().reaches('198.51.100.2')).toBe(true);
});

test('a record with our own address is no place to flood to, and one entry refused keeps no other from being made', async () => {
  await apply(a, next(), { networks: { line: LINE } });
  const record = { fleet: 'plant', vni: 10_110, iat: 1, exp: 2, mtu: 1450, bum: 'replicate', macs: [] };
  await forge('vni/10110/gw/former', { ...record, gw: 'former', vtep: [{ ip: '198.51.100.1', port: 4789 }] });
  await forge('vni/10110/gw/other', { ...record, gw: 'other', vtep: [{ ip: '198.51.100.9', port: 4789 }] });
  await until('the other entry', async () => (await table()).includes('dst 198.51.100.9'));
  expect(await table()).not.toContain('dst 198.51.100.1 ');
});

test('a network that waits keeps the interfaces that are still wanted, and those only', async () => {
  const networks = { line: LINE };
  const both = { w1: workload(w1, { line: { interface: 'eth7' } }), w2: workload(w2, { line: { interface: 'eth7' } }) };
  await apply(a, next(), { networks, workloads: both });
  await host().ip('address', 'delete', '198.51.100.1/24', 'dev', 'wan0');
  await until('the network to wait', async () => (await problems()).includes('no underlay address'));
  await apply(a, next(), { networks, workloads: { w1: both.w1 } });
  await until('the workload to be off it', async () => !(await names(w2)).includes('eth7'));
  expect(await names(w1)).toContain('eth7');
  await host().ip('address', 'add', '198.51.100.1/24', 'dev', 'wan0');
  await until('the network to stand again', async () => (await problems()) === '[]');
});

test('the interface of a multicast group follows the underlay', async () => {
  const networks = { line: { ...LINE, bum: { multicast: '239.1.1.10' } } };
  const device = async (): Promise<string> => (await host().exec('ip', '-d', 'link', 'show', 'lsx-line')).stdout;
  await apply(a, next(), { networks });
  expect(await device()).toContain('dev wan0');
  await host().batch(['address delete 198.51.100.1/24 dev wan0', 'address add 198.51.100.1/24 dev lan0']);
  await until('the group to be joined there', async () => (await device()).includes('dev lan0'));
  await host().batch(['address delete 198.51.100.1/24 dev lan0', 'address add 198.51.100.1/24 dev wan0']);
  await until('and back', async () => (await device()).includes('dev wan0'));
});

test('a forged epoch on our own topic ends nothing, now or at the next start', async () => {
  for (const epoch of [2 ** 53 - 1, 2 ** 32 - 1, 2 ** 31]) {
    await forge(`gw/${GW}/alive`, { gw: GW, epoch, state: 'up', vnis: {} });
    await until(`epoch ${epoch} to be answered`, async () => (await a.status()).broker.connected);
  }
  await until('the forgery to be told', () => a.log().includes('is forged'));
  expect([a.process.running, (await a.status()).epoch]).toEqual([true, 1]);
});

test('whoever changes our links against us is told of, and costs no processor time', async () => {
  await apply(a, next(), { networks: { line: LINE } });
  const loop = 'while :; do ip link set dev lsx-line mtu 1300; done';
  // Several: between two changes of one, a look would often find what is wanted.
  const others = await Promise.all([1, 2, 3, 4].map(() => lab.process(host(), ['sh', '-c', loop])));
  await until('the fight to be told', async () =>
    (await problems()).includes('something else on this host changes it'),
  );
  expect(await problems()).toContain('/spec/networks/line');
  for (const other of others) await other.kill9();
  await until('the network to be as wanted', async () => (await problems()) === '[]');
  expect((await host().exec('ip', 'link', 'show', 'lsx-line')).stdout).toContain('mtu 1450');
});
