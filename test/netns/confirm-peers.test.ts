import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { GatewayStatus } from '../../src/model/status.ts';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply, applyText, documentText, type Spec, workload } from './support/documents.ts';
import { startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';

const [GW_A, GW_B] = [gatewayName('a'), gatewayName('b')];
const LINE: Spec = { networks: { line: { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' } } };
const CELL = { driver: 'bridge', subnet: '172.30.0.0/24' };

const lab = new Lab();
let box: Namespace;
let a: Gateway;

/** Each gateway has a way to the broker that is none of the underlay's. */
async function managed(
  name: string,
  gateway: Namespace,
  underlay: string,
  n: number,
  hub: Namespace,
): Promise<Gateway> {
  await lab.veth(gateway, 'mgmt0', hub, `m${n}`);
  await gateway.ip('address', 'add', `192.0.2.${n * 16 + 2}/28`, 'dev', 'mgmt0');
  await hub.ip('address', 'add', `192.0.2.${n * 16 + 1}/28`, 'dev', `m${n}`);
  const mqtt = { url: `mqtt://192.0.2.${n * 16 + 1}:1883` };
  const config = {
    gateway: name,
    fleet: 'plant',
    underlay: { address: underlay },
    mqtt,
    status: { listen: '127.0.0.1:0' },
  };
  return startGateway(lab, { namespace: gateway, config });
}

const configOf = async (): Promise<GatewayStatus['config']> => (await a.status()).config;
/** Whether the other gateway answers a's probes. */
async function peerIsUp(): Promise<boolean> {
  const [peer] = (await a.status()).peers;
  return peer?.state === 'up' && peer.rtt_ms !== null;
}

beforeAll(async () => {
  builtService();
  const sites = await twoSites(lab);
  const hub = await lab.namespace('hub');
  box = await sites.a.workload('box');
  await startBroker(lab, hub, '0.0.0.0');
  a = await managed(GW_A, sites.a.gateway, sites.a.underlay, 1, hub);
  const b = await managed(GW_B, sites.b.gateway, sites.b.underlay, 2, hub);
  await apply(a, 1, LINE);
  await apply(b, 1, LINE);
  await until('the peer to answer', peerIsUp, 20_000);
});
afterAll(() => lab.close());

test('a document with which the peers go on answering is kept once they would be known as silent', async () => {
  const since = performance.now();
  await apply(a, 2, { networks: { ...LINE.networks, cell: CELL } });
  expect(performance.now() - since).toBeGreaterThan(4000);
  expect(await configOf()).toMatchObject({ state: 'applied', applied_version: 2 });
});

test('a document that cuts the gateway off from its peers alone is taken back', async () => {
  const uplinks = { wan: { interface: 'wan0' } };
  const networks = { ...LINE.networks, all: { driver: 'macvlan', uplink: 'wan', mode: 'passthru' } };
  const text = documentText(3, { uplinks, networks, workloads: { box: workload(box, { all: {} }) } });
  expect((await applyText(a, text)).code).toBe(0);
  const waitsFor = async (): Promise<readonly string[]> => (await configOf()).candidate?.waits_for ?? [];
  await until('the peer to be missed', async () => (await waitsFor()).includes(`peer ${GW_B}`), 20_000);
  expect((await a.status()).broker.connected).toBe(true);
  await until('the document to be taken back', async () => (await configOf()).state === 'rolled_back', 70_000);
  expect(await configOf()).toMatchObject({ applied_version: 2, errors: [{ code: 'peer_lost' }] });
  await until('the peer to answer again', peerIsUp, 20_000);
}, 120_000);
