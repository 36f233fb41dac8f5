import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply, documentText, type Spec, workload } from './support/documents.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';

const CLI = fileURLToPath(new URL('../../dist/bin/linkspan.js', import.meta.url));
const [GW_A, GW_B] = [gatewayName('a'), gatewayName('b')];
const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' };
const [AT_A, AT_B] = ['10.110.0.11', '10.110.0.21'];

const lab = new Lab();
let sites: Sites;
let fleet: FleetBroker;
let [directory, fleetKey] = ['', ''];
let gateways: { a: Gateway; b: Gateway };
let [a1, b1]: Namespace[] = [];

/** `linkspan fleet …`, of the fleet's owner, who is near the broker. */
async function owner(...argv: readonly string[]): Promise<string> {
  const [verb = '', ...rest] = argv;
  const command = [process.execPath, CLI, 'fleet', verb, '--dir', directory, ...rest];
  return (await lab.run(sites.a.gateway.inside(command))).stdout;
}

const published = (...argv: readonly string[]): Promise<string> => owner(...argv, '--broker', fleet.broker.url);

async function enrol(name: string, gateway: Gateway, vnis = '10110'): Promise<void> {
  const { stdout } = await gateway.cli('key', 'show');
  await published('enrol', name, '--key', stdout.trim(), '--vnis', vnis);
}

function configOf(gateway: string, address: string): Record<string, unknown> {
  const common = { fleet: 'plant', status: { listen: '127.0.0.1:0' }, trust: { fleetKey } };
  return { ...common, gateway, underlay: { address }, mqtt: { url: fleet.broker.url } };
}

const peersOf = async (gateway: Gateway): Promise<readonly string[]> =>
  (await gateway.status()).peers.map((peer) => `${peer.gateway} ${peer.vtep} ${peer.signed}`);

const spec = (mine: Namespace | undefined, address: string): Spec => ({
  networks: { line: LINE },
  // a name at each site: a MAC follows from it
  workloads: mine ? { [mine.name]: workload(mine, { line: { address } }) } : {},
});

beforeAll(async () => {
  builtService();
  sites = await twoSites(lab);
  fleet = await startBroker(lab, sites.a.gateway, sites.a.underlay);
  directory = join(await lab.folder(), 'fleet');
  [, fleetKey = ''] = /fleetKey: (\S+)/.exec(await owner('init', '--fleet', 'plant')) ?? [];
  [a1, b1] = [await sites.a.workload('w1'), await sites.b.workload('w1')];
  const a = await startGateway(lab, { namespace: sites.a.gateway, config: configOf(GW_A, sites.a.underlay) });
  const b = await startGateway(lab, { namespace: sites.b.gateway, config: configOf(GW_B, sites.b.underlay) });
  gateways = { a, b };
});
afterAll(() => lab.close());

test('a document over the broker must be signed for that gateway; one on the control socket need not', async () => {
  const { a, b } = gateways;
  await fleet.operator.publishDesired(GW_A, documentText(1, spec(a1, AT_A)));
  const file = await a.write('site.json', documentText(2, spec(a1, AT_A)));
  await until('the refusal to be told', async () => (await a.status()).trust.refused_total['unsigned'] !== undefined);
  expect((await a.status()).config).toMatchObject({ state: 'none', applied_version: null });
  await published('sign', GW_A, '-f', file);
  await until('the signed one to be applied', async () => (await a.status()).config.applied_version === 2);
  await apply(b, 1, spec(b1, AT_B));
});

test('whoever is not enrolled gets nothing in, and frames flow as soon as it is', async () => {
  const { a, b } = gateways;
  await enrol(GW_A, a);
  await until('the second to know the first', async () => (await peersOf(b)).length === 1);
  expect(await peersOf(a)).toEqual([]);
  expect(await a1?.reaches(AT_B)).toBe(false);
  expect((await b.status()).trust).toMatchObject({ policy: 'require', enrolled: 'no' });

  await enrol(GW_B, b);
  await until('the sites to reach each other', async () => (await a1?.reaches(AT_B)) === true);
  expect(await peersOf(a)).toEqual([`${GW_B} ${sites.b.underlay} true`]);
  expect((await b.status()).trust).toMatchObject({ enrolled: 'yes', vnis: '10110' });
});

test('what others write there changes nothing, and its owner mends it', async () => {
  const { a } = gateways;
  const topic = `vni/10110/gw/${GW_B}`;
  const body = {
    vni: 10_110,
    gw: GW_B,
    epoch: 99,
    vtep: [{ ip: '203.0.113.66', port: 4789 }],
    mtu: 1450,
    bum: 'replicate',
  };
  await fleet.operator.forge(topic, { ...body, caps: [], macs: [], pages: 0 });
  const refused = async (): Promise<boolean> =>
    (await a.status()).trust.refused.some(({ gateway }) => gateway === GW_B);
  await until('the refusal to be told', refused);
  await until('the owner to mend it', () => fleet.operator.topic(topic)?.['k'] !== undefined);
  expect(await peersOf(a)).toEqual([`${GW_B} ${sites.b.underlay} true`]);
  expect(await a1?.reaches(AT_B)).toBe(true);
});

test('a gateway that is revoked, or in other VNIs only, is gone at once and for good', async () => {
  const { a, b } = gateways;
  await enrol(GW_B, b, '1-10109');
  await until('it to be gone from the VNI', async () => (await peersOf(a)).length === 0, 3000);
  await enrol(GW_B, b);
  await until('it to be back', async () => (await a1?.reaches(AT_B)) === true);

  const backup = fleet.operator.topic(`trust/${GW_B}`);
  await published('revoke', GW_B);
  await until('it to be gone', async () => (await peersOf(a)).length === 0, 3000);
  await until('no frame to pass', async () => (await a1?.reaches(AT_B)) === false);
  // a restored backup of the broker's, and a gateway that starts anew
  await fleet.operator.publish(`trust/${GW_B}`, backup);
  await a.stop();
  const config = configOf(GW_A, sites.a.underlay);
  const again = await startGateway(lab, { namespace: sites.a.gateway, config, dir: a.dir });
  await until('the stale record to be told', async () => (await again.status()).trust.refused_total['stale'] === 1);
  expect(await peersOf(again)).toEqual([]);
  expect(await a1?.reaches(AT_B)).toBe(false);
  await published('publish');
  expect(fleet.operator.topic(`trust/${GW_B}`)).not.toEqual(backup);
});
