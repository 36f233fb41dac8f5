import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Site, type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply, workload } from './support/documents.ts';
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
let [a, b]: Gateway[] = [];
let [a1, b1]: Namespace[] = [];

/** `linkspan fleet …`, of the fleet's owner, who is near the broker. */
async function owner(verb: string, ...rest: readonly string[]): Promise<string> {
  const command = [process.execPath, CLI, 'fleet', verb, '--dir', directory, ...rest];
  return (await lab.run(sites.a.gateway.inside(command))).stdout;
}

async function enrol(name: string, gateway: Gateway | undefined): Promise<void> {
  const { stdout = '' } = (await gateway?.cli('key', 'show')) ?? {};
  await owner('enrol', name, '--key', stdout.trim(), '--vnis', '10110', '--broker', fleet.broker.url);
}

/** Starts a gateway that believes by that policy, with the state of its last run where `before` gives that. */
function start(gateway: string, site: Site, trust: object, before?: Gateway): Promise<Gateway> {
  const common = { fleet: 'plant', status: { listen: '127.0.0.1:0' }, trust, mqtt: { url: fleet.broker.url } };
  const config = { ...common, gateway, underlay: { address: site.underlay } };
  return startGateway(lab, { namespace: site.gateway, config, ...(before && { dir: before.dir }) });
}

/** Starts a anew; frames that its kernel knows to send to b go on being sent. */
async function again(trust: object): Promise<Gateway> {
  await a?.kill9();
  a = await start(GW_A, sites.a, trust, a);
  return a;
}

const reaches = async (): Promise<boolean> => (await a1?.reaches(AT_B)) === true;

/** What a's kernel sends to b, MACs and floods. */
async function towardsB(): Promise<string> {
  const { stdout } = await sites.a.gateway.exec('bridge', 'fdb', 'show', 'dev', 'lsx-line');
  return stdout
    .split('\n')
    .filter((line) => line.includes(`dst ${sites.b.underlay} `))
    .join('\n');
}

beforeAll(async () => {
  builtService();
  sites = await twoSites(lab);
  fleet = await startBroker(lab, sites.a.gateway, sites.a.underlay);
  directory = join(await lab.folder(), 'fleet');
  [, fleetKey = ''] = /fleetKey: (\S+)/.exec(await owner('init', '--fleet', 'plant')) ?? [];
  [a1, b1] = [await sites.a.workload('w1'), await sites.b.workload('w1')];
  a = await start(GW_A, sites.a, {});
  b = await start(GW_B, sites.b, {});
  await apply(a, 1, { networks: { line: LINE }, workloads: { wa: workload(a1, { line: { address: AT_A } }) } });
  await apply(b, 1, { networks: { line: LINE }, workloads: { wb: workload(b1, { line: { address: AT_B } }) } });
  await until('the sites to reach each other', reaches);
});
afterAll(() => lab.close());

test('a gateway that begins to warn believes its peers as before, and tells who does not sign', async () => {
  const warning = await again({ fleetKey, policy: 'warn' });
  const namesB = async (): Promise<boolean> =>
    (await warning.status()).trust.refused.some(({ gateway, reason }) => gateway === GW_B && reason === 'unsigned');
  await until('it to be told', namesB);
  const { trust, peers } = await warning.status();
  expect(trust.policy).toBe('warn');
  expect(peers).toMatchObject([{ gateway: GW_B, signed: false }]);
  expect(warning.log()).toContain('is taken all the same, by the policy warn: it is not signed');
  expect(await towardsB()).not.toBe('');
  expect(await reaches()).toBe(true);
  // its own words are signed now, and whoever believes all reads them
  expect(fleet.operator.topic(`gw/${GW_A}/alive`)?.['k']).toBeDefined();
  expect((await b?.status())?.peers).toMatchObject([{ gateway: GW_A }]);
});

test('one that begins to require signatures believes nothing that it stored unsigned, and says so', async () => {
  const requiring = await again({ fleetKey });
  expect((await requiring.status()).peers).toEqual([]);
  expect(await towardsB()).toBe('');
  expect(await reaches()).toBe(false);
  expect(requiring.log()).toMatch(new RegExp(`gateways ${GW_B} \\(1\\): .*no enrolled key has signed.*; enrol those`));
  await until('the refusal to be told', async () => (await requiring.status()).trust.refused.length > 0);
  expect((await requiring.status()).peers).toEqual([]);
});

test('and once both are enrolled and sign, they have each other, a restart between or not', async () => {
  await b?.stop();
  b = await start(GW_B, sites.b, { fleetKey }, b);
  await enrol(GW_A, a);
  await enrol(GW_B, b);
  await until('the sites to reach each other', reaches);
  const signed = await again({ fleetKey });
  expect((await signed.status()).peers).toMatchObject([{ gateway: GW_B, signed: true }]);
  expect(await towardsB()).not.toBe('');
  expect(signed.log()).not.toContain('no enrolled key');
});
