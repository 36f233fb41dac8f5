import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import { type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { documentText, workload } from './support/documents.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';

const [GW_A, GW_B] = [gatewayName('a'), gatewayName('b')];
const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' };
const MAC = '02:00:00:00:00:21';

const lab = new Lab();
let sites: Sites;
let fleet: FleetBroker;
let a: Gateway;

beforeAll(async () => {
  builtService();
  sites = await twoSites(lab);
  fleet = await startBroker(lab, sites.a.gateway, sites.a.underlay);
  const { url } = fleet.broker;
  const start = (gateway: string, site: Sites['a']): Promise<Gateway> => {
    const config = { gateway, fleet: 'plant', underlay: { address: site.underlay }, mqtt: { url } };
    return startGateway(lab, { namespace: site.gateway, config: { ...config, status: { listen: '127.0.0.1:0' } } });
  };
  a = await start(GW_A, sites.a);
  await start(GW_B, sites.b);
  const far = { w1: workload(await sites.b.workload('w1'), { line: { address: '10.110.0.21', mac: MAC } }) };
  await fleet.operator.apply(GW_A, documentText(1, { networks: { line: LINE } }));
  await fleet.operator.apply(GW_B, documentText(1, { networks: { line: LINE }, workloads: far }));
  await until('the gateways to know each other', async () => (await a.status()).peers.length === 1);
}, 60_000);
afterAll(() => lab.close());

test('an operator asks for peers and the forwarding table', async () => {
  const peers = await fleet.operator.ask(GW_A, 'peers');
  expect(peers).toMatchObject({ ok: true, result: { peers: [{ gateway: GW_B, vnis: [10_110] }], total: 1 } });
  await until('the entry of the other site', async () => {
    const { result } = await fleet.operator.ask(GW_A, 'fdb', { network: 'line' });
    return JSON.stringify(result).includes(MAC);
  });
});

test('a patch changes what runs, and a late one does not', async () => {
  const patch = { networks: { line: { mtu: 1300 } } };
  expect(await fleet.operator.ask(GW_A, 'patch', { ifVersion: 1, patch })).toMatchObject({
    ok: true,
    result: { version: 2 },
  });
  await until('the patch to stand', async () => {
    const { networks, config } = await a.status();
    return networks[0]?.mtu === 1300 && config.applied_version === 2;
  });
  expect(await fleet.operator.ask(GW_A, 'patch', { ifVersion: 1, patch })).toMatchObject({
    ok: false,
    errors: [{ code: 'version_conflict' }],
  });
});

test('a document that waits for its confirmation is confirmed, and gone back from', async () => {
  const spec = { networks: { line: { ...LINE, mtu: 1200 } } };
  await fleet.operator.publishDesired(GW_A, JSON.stringify({ v: 1, version: 5, spec, confirm: { timeout_s: 60 } }));
  const confirm = async (): Promise<boolean> =>
    (await fleet.operator.ask(GW_A, 'confirm', { version: 5 }))['ok'] === true;
  await until('the confirmation', confirm);
  await until('version 5 to be applied', async () => (await a.status()).config.applied_version === 5);
  const back = await fleet.operator.ask(GW_A, 'rollback', { ifVersion: 5, version: 2 });
  expect(back).toMatchObject({ ok: true, result: { version: 2 } });
  await until('version 2 to stand', async () => (await a.status()).networks[0]?.mtu === 1300);
});

test('what a gateway cannot do is refused in words', async () => {
  expect(await fleet.operator.ask(GW_A, 'reboot')).toMatchObject({ ok: false, errors: [{ code: 'unknown_method' }] });
  const nowhere = await fleet.operator.ask(GW_A, 'clear', { network: 'line', mac: MAC });
  expect(nowhere).toMatchObject({ ok: false, errors: [{ message: expect.stringContaining('not held back') }] });
});
