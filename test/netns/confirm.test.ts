import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import type { GatewayEvent, GatewayStatus } from '../../src/model/status.ts';
import { builtService } from './support/built.ts';
import { apply, applyText, documentText, type Spec, workload } from './support/documents.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';

const GW = gatewayName('a');
const CELL: Spec = { networks: { cell: { driver: 'bridge', subnet: '172.30.0.0/24' } } };
const PROOF_S = 60;
/** what a document that cuts the gateway off may cost beyond its time */
const BACK_S = 10;

let lab: Lab;
let fleet: FleetBroker;
let at: Namespace;
let broker: Namespace;
let box: Namespace;
let config: Record<string, unknown>;
let gateway: Gateway;

beforeEach(async () => {
  builtService();
  lab = new Lab();
  const { a, b } = await twoSites(lab);
  [at, broker] = [a.gateway, b.gateway];
  box = await a.workload('box');
  fleet = await startBroker(lab, broker, b.underlay);
  const mqtt = { url: fleet.broker.url };
  config = { gateway: GW, fleet: 'plant', underlay: { address: a.underlay }, mqtt, status: { listen: '127.0.0.1:0' } };
  gateway = await startGateway(lab, { namespace: at, config });
  await connected();
  await apply(gateway, 1, CELL);
});
afterEach(() => lab.close());

/** In mode passthru a workload's interface takes every frame of its uplink: the gateway itself hears nothing more. */
function cuttingOff(): Spec {
  const uplinks = { wan: { interface: 'wan0' } };
  const networks = { ...CELL.networks, all: { driver: 'macvlan', uplink: 'wan', mode: 'passthru' } };
  return { uplinks, networks, workloads: { box: workload(box, { all: {} }) } };
}

const configOf = async (): Promise<GatewayStatus['config']> => (await gateway.status()).config;
const reported = (): Record<string, unknown> | undefined => fleet.operator.topic(`gw/${GW}/reported`);
const withConfirm = (version: number, spec: Spec, timeout_s: number): string =>
  JSON.stringify({ v: 1, version, spec, confirm: { timeout_s } });
async function connected(): Promise<void> {
  await until('the session with the broker', async () => (await gateway.status()).broker.connected, 20_000);
}
/** Seconds until the gateway is back on the broker, with this state of its document. */
async function backAfter(state: string, limitS: number, since = performance.now()): Promise<number> {
  await until(
    `${state} at the broker`,
    async () => reported()?.['state'] === state && (await gateway.status()).broker.connected,
    limitS * 1000,
  );
  return (performance.now() - since) / 1000;
}

test('a document that cuts the gateway off is taken back in its time, and not tried again', async () => {
  const text = documentText(2, cuttingOff());
  await fleet.operator.publishDesired(GW, text);
  const since = performance.now();
  await until('the gateway to be cut off', async () => !(await at.reaches('198.51.100.2')), 10_000);
  const { candidate } = await configOf();
  expect(candidate).toMatchObject({ version: 2, waits_for: ['the broker'] });
  // It is the old one that answers now: what the broker retained is forgotten here, and sent by the gateway itself.
  fleet.operator.forget();
  const took = await backAfter('rolled_back', PROOF_S + BACK_S, since);
  expect(took).toBeGreaterThan(PROOF_S - 1);
  process.stdout.write(`confirm: cut off, back after ${took.toFixed(1)} s\n`);
  expect(reported()).toMatchObject({
    applied_version: 1,
    lkg_version: 1,
    errors: [{ code: 'broker_lost' }],
    candidate: null,
  });
  expect(await at.reaches('198.51.100.2')).toBe(true);

  // The broker gives the same document again, whenever the gateway or itself comes back.
  await gateway.stop();
  gateway = await startGateway(lab, { namespace: at, config, dir: gateway.dir });
  await connected();
  await fleet.operator.publishDesired(GW, text);
  await fleet.operator.publishDesired(GW, documentText(3, { ...CELL, uplinks: { wan: { interface: 'wan0' } } }));
  await until('the next document to be applied', () => reported()?.['applied_version'] === 3, 20_000);
  expect(reported()).toMatchObject({ state: 'applied', errors: [] });
  const { stdout } = await gateway.cli('history');
  expect(stdout).toMatch(/^3 +\w+ +applied, runs +mqtt .*\n2 +\w+ +rolled_back +mqtt [^]*\n1 +\w+ +applied +cli /m);
}, 150_000);

test('a document is not taken back because the broker dies meanwhile', async () => {
  // An uplink on which no macvlan can stand (it has no MAC) keeps the trial open until the broker is gone.
  await at.ip('tuntap', 'add', 'dev', 'odd', 'mode', 'tun');
  const networks = { ...CELL.networks, plant: { driver: 'macvlan', uplink: 'odd' } };
  const spec = { uplinks: { odd: { interface: 'odd' } }, networks, workloads: { box: workload(box, { plant: {} }) } };
  // A new interface is known a second later.
  await until('the document to be accepted', async () => (await applyText(gateway, documentText(2, spec))).code === 0);
  const waitsFor = async (): Promise<readonly string[]> => (await configOf()).candidate?.waits_for ?? [];
  await until('a step to fail', async () => (await waitsFor()).includes('steps that fail'));
  await fleet.broker.kill9();
  await until('the session to end', async () => !(await gateway.status()).broker.connected);
  await at.batch(['link delete odd', 'link add odd type veth peer name even', 'link set odd up']);
  await until('the document to be applied', async () => (await configOf()).applied_version === 2, 50_000);
  expect(await configOf()).toMatchObject({ state: 'applied', lkg_version: 2, errors: [], candidate: null });
});

test('a document is not taken back because the broker hangs', async () => {
  if (fleet.broker.pid === undefined) throw new Error('no broker');
  process.kill(fleet.broker.pid, 'SIGSTOP');
  const text = documentText(2, { ...CELL, uplinks: { wan: { interface: 'wan0' } } });
  expect(await applyText(gateway, text, '--wait', '20')).toMatchObject({ code: 0, stdout: 'version 2 applied\n' });
  process.kill(fleet.broker.pid, 'SIGCONT');
});

test('a bridge network that takes the broker’s address for its own does not pass for the broker', async () => {
  await broker.ip('address', 'add', '203.0.113.5/32', 'dev', 'lo');
  await at.ip('route', 'add', 'default', 'via', '198.51.100.2');
  const far = await startBroker(lab, broker, '203.0.113.5');
  await gateway.stop();
  const moved = { ...config, mqtt: { url: far.broker.url } };
  gateway = await startGateway(lab, { namespace: at, config: moved, dir: gateway.dir });
  await connected();
  const networks = { ...CELL.networks, taken: { driver: 'bridge', subnet: '203.0.113.0/24', gateway: '203.0.113.5' } };
  expect(
    (await applyText(gateway, documentText(2, { networks, workloads: { box: workload(box, { taken: {} }) } }))).code,
  ).toBe(0);
  await until('the bridge to have the address', async () => (await at.ip('address')).stdout.includes('203.0.113.5/'));
  await until('the document to be taken back', async () => (await configOf()).state === 'rolled_back', 70_000);
  expect(await configOf()).toMatchObject({ applied_version: 1, errors: [{ code: 'broker_lost' }] });
  await connected();
}, 120_000);

test('a confirmation that is asked for is waited for, and without it the document is taken back', async () => {
  const spec: Spec = { networks: {} };
  const sent = await applyText(gateway, withConfirm(2, spec, 6), '--wait');
  expect(sent).toMatchObject({ code: 0, stdout: expect.stringMatching(/^version 2 stands .*linkspan confirm 2\n$/) });
  expect(reported()).toMatchObject({ state: 'confirming', applied_version: 1, candidate: { version: 2 } });
  await backAfter('rolled_back', 6 + BACK_S);
  expect(reported()).toMatchObject({ applied_version: 1, errors: [{ code: 'not_confirmed', path: '/confirm' }] });

  expect((await applyText(gateway, withConfirm(3, spec, 60), '--wait')).code).toBe(0);
  expect((await gateway.cli('status')).stdout).toMatch(/version 3 on trial, waits for the confirmation; .* in \d+ s/);
  expect(await gateway.cli('confirm', '2')).toMatchObject({ code: 5 });
  expect(await gateway.cli('confirm')).toMatchObject({ code: 0, stdout: 'version 3 is confirmed\n' });
  expect(await configOf()).toMatchObject({ state: 'applied', applied_version: 3, lkg_version: 3 });
  expect(await gateway.cli('confirm')).toMatchObject({ code: 5 });
});

test('a service that is killed in the middle goes on with the time that is left', async () => {
  const since = performance.now();
  await applyText(gateway, withConfirm(2, cuttingOff(), 15));
  await until('the gateway to be cut off', async () => !(await at.reaches('198.51.100.2')), 10_000);
  await gateway.kill9();
  gateway = await startGateway(lab, { namespace: at, config, dir: gateway.dir });
  expect((await configOf()).candidate).toMatchObject({ version: 2 });
  fleet.operator.forget();
  await backAfter('rolled_back', 15 + BACK_S, since);
  expect((performance.now() - since) / 1000).toBeLessThan(15 + BACK_S);
  expect(await configOf()).toMatchObject({ applied_version: 1, errors: [{ code: 'not_confirmed' }] });
});

test('going back on request survives what the broker retains', async () => {
  await fleet.operator.apply(
    GW,
    documentText(2, { networks: { other: { driver: 'bridge', subnet: '172.31.0.0/24' } } }),
  );
  expect(await gateway.cli('rollback')).toMatchObject({ code: 0, stdout: 'going back to version 1\n' });
  await until('version 1 at the broker', () => reported()?.['applied_version'] === 1, 20_000);
  expect(reported()).toMatchObject({ state: 'rolled_back', errors: [{ code: 'rolled_back' }] });
  await gateway.stop();
  gateway = await startGateway(lab, { namespace: at, config, dir: gateway.dir });
  await connected();
  const { stdout } = await gateway.cli('events', '--json');
  const types = (JSON.parse(stdout) as GatewayEvent[]).map(({ type }) => type);
  expect(types.filter((type) => type.startsWith('config.'))).toEqual([]);
  expect((await gateway.status()).networks).toMatchObject([{ name: 'cell' }]);
  expect(await gateway.cli('rollback', '9')).toMatchObject({ code: 4 });
});
