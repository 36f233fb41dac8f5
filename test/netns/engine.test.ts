import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { dirname } from 'node:path';
import { startDatapath } from '../lab/datapath.ts';
import type { Gateway } from '../lab/gateway.ts';
import { startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Site, type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply, type Spec, workload } from './support/documents.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';

const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24', subnet6: 'fd00:110::/64' };
/** Sends a number over one connection, waits for it to come back, and goes on with the next. */
const TALK = `const socket = require('net').connect(7007, '10.110.0.21');
let number = 0;
const next = () => socket.write(String((number += 1)));
socket.on('connect', next).on('data', () => { console.log(number); setTimeout(next, 50); });`;
const lab = new Lab();
let sites: Sites;
let fleet: FleetBroker;
let a: Gateway;
let w: { a: Namespace; b: Namespace };

const specOf = (on: Namespace, last: number, engine: string): Spec => ({
  networks: { line: { ...LINE, engine } },
  workloads: { [`w${last}`]: workload(on, { line: { address: `10.110.0.${last}`, address6: `fd00:110::${last}` } }) },
});

async function gatewayAt(site: Site, key: string): Promise<Gateway> {
  const config = {
    gateway: gatewayName(key),
    fleet: 'plant',
    underlay: { address: site.underlay },
    mqtt: { url: fleet.broker.url },
    status: { listen: '127.0.0.1:0' },
  };
  // A veth claims to offload what is inside a tunnel, and hands packets over with checksums that nobody finished.
  await site.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
  return startGateway(lab, { namespace: site.gateway, config });
}

async function engineOf(gateway: Gateway): Promise<string | null | undefined> {
  return (await gateway.status()).networks[0]?.engine;
}

beforeAll(async () => {
  builtService();
  sites = await twoSites(lab);
  fleet = await startBroker(lab, sites.a.gateway, sites.a.underlay);
  w = { a: await sites.a.workload('w'), b: await sites.b.workload('w') };
  a = await gatewayAt(sites.a, 'a');
  const b = await gatewayAt(sites.b, 'b');
  await apply(a, 1, specOf(w.a, 11, 'kernel'));
  await apply(b, 1, specOf(w.b, 21, 'kernel'));
  await until('the sites to reach each other', () => w.a.reaches('10.110.0.21'));
});
afterAll(() => lab.close());

test('without its datapath a change to the user engine waits, and frames go on by the kernel', async () => {
  await apply(a, 2, specOf(w.a, 11, 'user'));
  const { networks } = await a.status();
  expect(networks[0]?.problem).toContain('the datapath service does not answer at');
  expect(await w.a.reaches('10.110.0.21')).toBe(true);
});

test('a connection lives through each change of engine, and so does what the workload set', async () => {
  await w.a.batch(['address add 10.110.0.99/24 dev eth0', 'route add 10.77.0.0/16 via 10.110.0.254 dev eth0 metric 7']);
  const echo = await lab.process(w.b, ['socat', 'TCP-LISTEN:7007,reuseaddr', 'EXEC:cat']);
  await until('the echo to listen', async () => (await w.b.exec('ss', '-Hlnt', 'sport', '=', ':7007')).stdout !== '');
  const client = await lab.process(w.a, [process.execPath, '-e', TALK]);
  const count = (): number => Number(client.log().trim().split('\n').at(-1) ?? 0);
  const goesOn = async (): Promise<void> => {
    const before = count();
    const moved = until('the connection to go on', () => count() > before + 5, 20_000);
    await moved.catch((error: Error) => Promise.reject(new Error(`${error.message}\n${client.log()}\n${a.log()}`)));
  };
  await goesOn();

  const datapath = await startDatapath(lab, sites.a.gateway, { dir: dirname(a.socket) });
  await until('the user engine', async () => (await engineOf(a)) === 'user');
  await goesOn();
  expect((await datapath.status()).networks).toMatchObject([{ vni: 10_110, tap: 'lsu-line', ok: true }]);
  expect((await a.status()).datapath).toMatchObject({ offload: expect.any(String) });
  expect((await w.a.ip('-o', 'route', 'show', '10.77.0.0/16')).stdout).toContain('via 10.110.0.254 dev eth0 metric 7');
  expect(await w.a.reaches('fd00:110::21')).toBe(true);

  await apply(a, 3, specOf(w.a, 11, 'kernel'));
  await goesOn();
  expect((await a.status()).networks[0]).toMatchObject({ engine: 'kernel', problem: null });
  expect((await w.a.ip('-o', 'address', 'show', 'dev', 'eth0')).stdout).toContain('10.110.0.99/24');
  expect((await sites.a.gateway.ip('-o', 'link')).stdout).not.toContain('lsu-');
  expect((await datapath.status()).underlay.ok).toBe(false);
  expect(echo.running && client.running).toBe(true);
});
