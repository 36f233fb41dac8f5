import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../lab/exec.ts';
import type { Gateway } from '../lab/gateway.ts';
import { startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Site, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { Capture } from './support/capture.ts';
import { apply, type Spec, workload } from './support/documents.ts';
import { gatewayName } from './support/names.ts';

const PLANT = { driver: 'macvlan', uplink: 'lan', subnet: '10.20.0.0/24', subnet6: 'fd00:20::/64' };
const OWN = { address: '10.20.0.31', address6: 'fd00:20::31', mac: '02:00:00:00:00:31' };
/** A probe listens for 1.5 s. */
const PROBED_MS = 2500;

let lab: Lab;
let site: Site;
let gateway: Gateway;
let w1: Namespace;
let w2: Namespace;

beforeEach(async () => {
  builtService();
  lab = new Lab();
  ({ a: site } = await twoSites(lab));
  [w1, w2] = [await site.workload('w1'), await site.workload('w2')];
  await site.gateway.batch(['address add 10.20.0.1/24 dev lan0', 'address add fd00:20::1/64 dev lan0 nodad']);
  const mqtt = { url: 'mqtt://127.0.0.1:9' };
  const name = gatewayName('a');
  const config = { gateway: name, underlay: { address: site.underlay }, mqtt, status: { listen: '127.0.0.1:0' } };
  gateway = await startGateway(lab, { namespace: site.gateway, config });
});
afterEach(() => lab.close());

const plant = (mode = 'bridge'): Spec => ({
  uplinks: { lan: { interface: 'lan0', macLimit: 8 } },
  networks: { plant: { ...PLANT, mode } },
  workloads: {
    w1: workload(w1, { plant: OWN }),
    ...(mode !== 'passthru' && { w2: workload(w2, { plant: { address: '10.20.0.32' } }) }),
  },
});

async function problemOf(name: string): Promise<string | null | undefined> {
  return (await gateway.status()).endpoints.find((endpoint) => endpoint.workload === name)?.problem;
}

const macOf = async (namespace: Namespace, device: string): Promise<string> =>
  (await namespace.ipJson<{ address: string }[]>('link', 'show', device))[0]?.address ?? '';

describe.each([
  ['IPv4', '10.20.0.31/24', '10.20.0.77/24', ''],
  ['IPv6', 'fd00:20::31/64', 'fd00:20::77/64', ' nodad'],
])('a machine on the plant with a workload’s %s address', (_, taken, other, flags) => {
  test.each(['bridge', 'private', 'passthru'])(
    'in mode %s is reported within 3 s and forgotten once it has another',
    async (mode) => {
      await site.plc.batch([`address add ${taken} dev eth0${flags}`]);
      await apply(gateway, 1, plant(mode));
      const mac = await macOf(site.plc, 'eth0');
      const address = taken.split('/')[0] ?? '';
      const says = `another machine on the wire of network plant has its address ${address} too (MAC ${mac})`;
      await until('the duplicate to be reported', async () => (await problemOf('w1'))?.includes(says) ?? false, 3000);
      // What runs goes on running, and the document stands.
      const status = await gateway.status();
      expect(status.endpoints[0]).toMatchObject({ workload: 'w1', state: 'attached' });
      expect(status.config).toMatchObject({ state: 'applied', errors: [{ code: 'duplicate_address' }] });
      expect(status.health.ok).toBe(false);
      if (mode !== 'passthru') expect(await problemOf('w2')).toBeNull();
      const { stdout } = await gateway.cli('events');
      expect(stdout.match(/warning duplicate_address: workload w1/g)).toHaveLength(1);
      await site.plc.batch([`address del ${taken} dev eth0`, `address add ${other} dev eth0${flags}`]);
      await until('the duplicate to be forgotten', async () => (await problemOf('w1')) === null, 12_000);
      expect((await gateway.status()).health.ok).toBe(true);
    },
    40_000,
  );
});

test('nobody else having it, nothing is reported: not for the shim, siblings, proxy ARP or frames that come back', async () => {
  const capture = await Capture.start(lab, site.plc, 'eth0', 'arp', 'or', 'icmp6');
  await site.gateway.exec('sysctl', '-qw', 'net.ipv4.conf.all.proxy_arp=1', 'net.ipv4.conf.default.proxy_arp=1');
  await site.switch.exec('bridge', 'link', 'set', 'dev', 'gw', 'hairpin', 'on');
  await apply(gateway, 1, plant());
  await sleep(PROBED_MS);
  const { endpoints, health } = await gateway.status();
  expect(endpoints.map(({ problem }) => problem)).toEqual([null, null]);
  expect(health.ok).toBe(true);
  // It was asked, three times each, from nobody's address.
  expect(capture.text().match(/who-has 10\.20\.0\.31 tell 0\.0\.0\.0/g)).toHaveLength(3);
  expect(capture.text().match(/who-has 10\.20\.0\.32 tell 0\.0\.0\.0/g)).toHaveLength(3);
  expect(capture.text().match(/:: > ff02::1:ff00:31: .*who has fd00:20::31/g)).toHaveLength(3);
});

test('the gateway itself having it, by the shim, is said to be the gateway', async () => {
  await site.gateway.batch(['address add 10.20.0.31/32 dev lan0']);
  await apply(gateway, 1, plant());
  await until(
    'it to be reported',
    async () => (await problemOf('w1'))?.includes("gateway's own lss-plant") ?? false,
    3000,
  );
});

test('a machine that comes later and tells so is heard while a probe listens; garbage is not', async () => {
  await apply(gateway, 1, plant());
  await site.plc.exec('ip', 'address', 'add', '10.20.0.31/24', 'dev', 'eth0');
  await site.plc.attempt('arping', '-q', '-U', '-c', '3', '-w', '1', '-I', 'eth0', '10.20.0.31');
  await until('it to be reported', async () => (await problemOf('w1'))?.includes('10.20.0.31 too') ?? false, 3000);
});

test('a sandbox that vanishes during a probe is let go, and its MAC with it', async () => {
  await apply(gateway, 1, plant());
  for (let round = 0; round < 3; round += 1) {
    await run(['ip', 'netns', 'delete', w1.name]);
    await run(['ip', 'netns', 'add', w1.name]);
    await until('it to be back', () => w1.reaches(site.plcAddress), 10_000);
  }
  expect((await gateway.cli('events')).stdout).not.toContain('endpoint.failed');
  expect(await problemOf('w1')).toBeNull();
});

test('the switch port’s MACs are counted, and above the limit said without taking anything down', async () => {
  await apply(gateway, 1, plant());
  const uplinks = async (): Promise<unknown> => (await gateway.status()).uplinks;
  // The gateway's own, the shim's and two workloads'.
  expect(await uplinks()).toEqual([{ name: 'lan', interface: 'lan0', macs: 4, mac_limit: 8, problem: null }]);
  await apply(gateway, 2, { ...plant(), uplinks: { lan: { interface: 'lan0', macLimit: 3 } } });
  expect(await uplinks()).toMatchObject([{ macs: 4, mac_limit: 3, problem: expect.stringContaining('sees 4 MACs') }]);
  expect((await gateway.status()).config).toMatchObject({ state: 'applied', applied_version: 2 });
  const { code, stdout } = await gateway.cli('status');
  expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringMatching(/lan +lan0 +4 +3 +too many/) });
  expect((await gateway.cli('events')).stdout.match(/warning uplink\.mac_limit/g)).toHaveLength(1);
  expect(await w1.reaches(site.plcAddress)).toBe(true);
  // On the switch itself it is so many, too.
  const { stdout: table } = await site.switch.exec('bridge', 'fdb', 'show', 'brport', 'gw');
  const learned = new Set(
    table.split('\n').filter((line) => line.includes('master br0') && !line.includes('permanent')),
  );
  expect(learned.size).toBeLessThanOrEqual(4);
  await apply(gateway, 3, { ...plant(), workloads: {} });
  expect((await gateway.status()).health.ok).toBe(true);
});
