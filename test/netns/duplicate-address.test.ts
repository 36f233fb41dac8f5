import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { sendFrames } from '../../src/host/packet-socket.ts';
import { type Mac, parseMac } from '../../src/model/mac.ts';
import { gratuitousArp } from '../../src/packet/arp.ts';
import { unsolicitedNa } from '../../src/packet/neighbour.ts';
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

test('what comes in while a probe listens is believed only where it is whole and true', async () => {
  const mac = parseMac('02:66:66:66:66:66') as Mac;
  const [arp, na] = [gratuitousArp(mac, '10.20.0.31'), unsolicitedNa(mac, 'fd00:20::31')];
  const forged = [
    ...lies(arp, [[15, 2]], [[17, 8]], [[21, 3]], [[22, 1]], [[31, 99]]),
    ...lies(na, [[21, 64]], [[54, 135]], [[57, 1]]),
  ];
  // Some access points and relays pass a frame on with their own address as its source: then this is ours.
  const relayed = lies(gratuitousArp(OWN.mac as Mac, '10.20.0.31'), [[7, 0x66]]);
  const garbage = [
    ...relayed,
    arp.subarray(0, 41),
    na.subarray(0, 77),
    ...forged,
    ...Array.from({ length: 40 }, () => noise()),
  ];
  const flood = setInterval(() => sendFrames(site.plc.path, 'eth0', garbage), 10);
  try {
    await apply(gateway, 1, plant());
    await sleep(PROBED_MS);
    expect((await gateway.status()).endpoints.map(({ problem }) => problem)).toEqual([null, null]);
  } finally {
    clearInterval(flood);
  }
  // The same, true, is believed: a workload that is attached anew is asked about anew.
  const truth = setInterval(() => sendFrames(site.plc.path, 'eth0', [arp]), 10);
  try {
    await apply(gateway, 2, { ...plant(), workloads: {} });
    await apply(gateway, 3, plant());
    await until('the claim to be reported', async () => (await problemOf('w1'))?.includes(mac) ?? false, 3000);
  } finally {
    clearInterval(truth);
  }
});

/** The frame, once with each set of bytes changed. */
function lies(
  frame: Buffer,
  ...changes: readonly (readonly (readonly [at: number, value: number])[])[]
): readonly Buffer[] {
  return changes.map((bytes) => {
    const changed = Buffer.from(frame);
    for (const [at, value] of bytes) changed.writeUInt8(value, at);
    return changed;
  });
}

/** To all, of ARP or IPv6, with 100 bytes of anything. */
function noise(): Buffer {
  const header = Buffer.from(`ffffffffffff026666666666${randomInt(2) === 0 ? '0806' : '86dd'}`, 'hex');
  return Buffer.concat([header, randomBytes(randomInt(100))]);
}

test('a sandbox that vanishes during a probe is let go, and its MAC with it', async () => {
  const capture = await Capture.start(lab, site.plc, 'eth0', 'arp');
  await apply(gateway, 1, plant());
  await until('a probe', () => capture.text().includes('who-has 10.20.0.31 tell 0.0.0.0'));
  await run(['ip', 'netns', 'delete', w1.name]);
  // What the parent listens for, by the kernel: no child of that MAC is left, though a probe would last 1.5 s.
  const filter = async (): Promise<string> => (await site.gateway.exec('bridge', 'fdb', 'show', 'dev', 'lan0')).stdout;
  await until('the interface to be gone', async () => !(await filter()).includes(OWN.mac), 900);
  await run(['ip', 'netns', 'add', w1.name]);
  await until('it to be back', () => w1.reaches(site.plcAddress), 10_000);
  expect(await filter()).toContain(OWN.mac);
  expect(await problemOf('w1')).toBeNull();
});

test('the switch port’s MACs are counted, and above the limit said without taking anything down', async () => {
  await apply(gateway, 1, plant());
  const uplinks = async (): Promise<unknown> => (await gateway.status()).uplinks;
  // The gateway's own, the shim's and two workloads'.
  expect(await uplinks()).toEqual([
    { name: 'lan', interface: 'lan0', macs: 4, mac_limit: 8, promiscuous: true, problem: null, wifi: null },
  ]);
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
