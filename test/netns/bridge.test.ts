import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { deriveMac } from '../../src/model/derived-mac.ts';
import type { Gateway } from '../lab/gateway.ts';
import { startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Site, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { Capture } from './support/capture.ts';
import { apply, type Spec, workload } from './support/documents.ts';
import { macOf } from './support/frames.ts';
import { kernelState } from './support/kernel-state.ts';
import { gatewayName } from './support/names.ts';

const GW_A = gatewayName('a');
const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

let lab: Lab;
let site: Site;
let wan: Namespace;
let gateway: Gateway;
let w1: Namespace;
let w2: Namespace;
let w3: Namespace;

beforeEach(async () => {
  builtService();
  lab = new Lab();
  const sites = await twoSites(lab);
  site = sites.a;
  wan = sites.b.gateway;
  [w1, w2, w3] = [await site.workload('w1'), await site.workload('w2'), await site.workload('w3')];
  await site.gateway.ip('address', 'add', '10.20.0.1/24', 'dev', 'lan0');
  await setForwarding('0');
  gateway = await start();
});
afterEach(() => lab.close());

function start(dir?: string): Promise<Gateway> {
  const mqtt = { url: 'mqtt://127.0.0.1:9' };
  const config = { gateway: GW_A, underlay: { address: site.underlay }, mqtt, status: { listen: '127.0.0.1:0' } };
  return startGateway(lab, { namespace: site.gateway, config, ...(dir !== undefined && { dir }) });
}

const setForwarding = (value: string): Promise<unknown> =>
  site.gateway.exec('sh', '-c', `echo ${value} >${FORWARDING}`);
const forwarding = async (): Promise<string> => (await site.gateway.exec('cat', FORWARDING)).stdout.trim();
const rules = async (): Promise<string> => (await site.gateway.attempt('nft', 'list', 'ruleset')).stdout;

function cells(): Spec {
  return {
    networks: {
      cell: { driver: 'bridge', subnet: '172.30.0.0/24' },
      cell2: { driver: 'bridge', subnet: '172.31.0.0/24' },
    },
    workloads: {
      w1: workload(w1, { cell: { address: '172.30.0.31' } }),
      w2: workload(w2, { cell: { address: '172.30.0.32' } }),
      w3: workload(w3, { cell2: { address: '172.31.0.33' } }),
    },
  };
}

/** The plant's PLC and the other site know the gateway as their router, as a misconfigured host would. */
async function routeThrough(): Promise<void> {
  await site.plc.ip('route', 'add', 'default', 'via', '10.20.0.1');
  await wan.ip('route', 'add', '10.20.0.0/24', 'via', site.underlay);
}

test('workloads reach the plant behind the gateway’s address, and each other', async () => {
  await apply(gateway, 1, cells());
  const capture = await Capture.start(lab, site.plc, 'eth0', 'icmp');
  expect(await w1.reaches(site.plcAddress, 2)).toBe(true);
  await until('the request on the wire', () => /10\.20\.0\.1 > 10\.20\.0\.10: ICMP echo request/.test(capture.text()));
  expect(capture.text()).not.toContain('172.30.0.31');
  expect(await w1.reaches('172.30.0.32')).toBe(true);
  expect(await site.gateway.reaches('172.30.0.31')).toBe(true);
});

test('the router of a network keeps its MAC, whoever comes and goes, and gets it back', async () => {
  const macs = new Set<string>();
  const see = async (): Promise<unknown> => macs.add(await macOf(site.gateway, 'lsb-cell'));
  await apply(gateway, 1, cells());
  await see();
  // Of a bridge that has none of its own, it is the lowest of its ports'.
  await lab.veth(site.gateway, 'low', w3, 'low');
  await site.gateway.batch(['link set low address 02:00:00:00:00:01', 'link set low master lsb-cell up']);
  await see();
  await site.gateway.ip('link', 'set', 'low', 'nomaster');
  await site.gateway.ip('link', 'set', 'lsb-cell', 'address', '02:00:00:00:00:02');
  await apply(gateway, 2, cells());
  await see();
  expect([...macs]).toEqual([deriveMac('cell', 'the router')]);
});

test('two bridge networks do not reach each other, nor does the plant reach in', async () => {
  await apply(gateway, 1, cells());
  await routeThrough();
  expect(await w3.reaches(site.plcAddress, 2)).toBe(true);
  expect(await w1.reaches('172.31.0.33')).toBe(false);
  expect(await w3.reaches('172.30.0.31')).toBe(false);
  expect(await site.plc.reaches('172.30.0.31')).toBe(false);
});

test('where forwarding was off, the gateway does not become a router for others', async () => {
  await routeThrough();
  expect(await site.plc.reaches('198.51.100.2')).toBe(false);
  await apply(gateway, 1, cells());
  expect(await forwarding()).toBe('0');
  expect(await site.plc.reaches('198.51.100.2')).toBe(false);
  expect(await wan.reaches(site.plcAddress)).toBe(false);
});

test('whoever makes the host a router later has it so, and it stays so without us', async () => {
  await routeThrough();
  await apply(gateway, 1, cells());
  await setForwarding('1');
  await site.gateway.ip('link', 'set', 'lan0', 'txqueuelen', '997');
  await until('the guard to be gone', () => site.plc.reaches('198.51.100.2'));
  expect(await w1.reaches(site.plcAddress, 2)).toBe(true);
  await apply(gateway, 2, {});
  expect(await forwarding()).toBe('1');
  expect(await site.plc.reaches('198.51.100.2')).toBe(true);
});

test('rules that somebody flushed while the service was away come back with the guard', async () => {
  await routeThrough();
  await apply(gateway, 1, cells());
  const before = await rules();
  await gateway.stop();
  await site.gateway.exec('nft', 'flush', 'ruleset');
  await start(gateway.dir);
  await until('the rules', async () => (await rules()) === before);
  expect(await site.plc.reaches('198.51.100.2')).toBe(false);
});

test('where only IPv6 was forwarded, that goes on', async () => {
  await site.gateway.batch(['address add fd00:20::1/64 dev lan0 nodad', 'address add fd00:99::1/64 dev wan0 nodad']);
  await site.gateway.exec('sh', '-c', 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding');
  await site.plc.batch(['address add fd00:20::10/64 dev eth0 nodad', 'route add default via fd00:20::1']);
  await wan.batch(['address add fd00:99::2/64 dev wan0 nodad', 'route add fd00:20::/64 via fd00:99::1']);
  expect(await site.plc.reaches('fd00:99::2', 3)).toBe(true);
  await apply(gateway, 1, cells());
  expect(await site.plc.reaches('fd00:99::2', 2)).toBe(true);
});

test('where forwarding was on, it goes on as it did', async () => {
  await setForwarding('1');
  await routeThrough();
  expect(await site.plc.reaches('198.51.100.2')).toBe(true);
  await apply(gateway, 1, cells());
  expect(await site.plc.reaches('198.51.100.2')).toBe(true);
  await apply(gateway, 2, {});
  expect(await forwarding()).toBe('1');
});

test('rules that somebody flushed come back with the next cycle, the guard too', async () => {
  await routeThrough();
  await apply(gateway, 1, cells());
  const before = await rules();
  await site.gateway.exec('nft', 'flush', 'ruleset');
  // nft changes wake nobody; any change of a link does.
  await site.gateway.ip('link', 'set', 'lan0', 'txqueuelen', '999');
  await until('the rules', async () => (await rules()) === before);
  expect(await w1.reaches(site.plcAddress, 2)).toBe(true);
  expect(await site.plc.reaches('198.51.100.2')).toBe(false);
  await apply(gateway, 2, {});
  expect(await forwarding()).toBe('0');
});

test('a rule of somebody else in our table goes with the next cycle', async () => {
  await apply(gateway, 1, cells());
  const before = await rules();
  await site.gateway.exec('nft', 'add', 'rule', 'inet', 'linkspan', 'forward', 'counter', 'accept');
  await site.gateway.ip('link', 'set', 'lan0', 'txqueuelen', '998');
  await until('the rule to be gone', async () => (await rules()) === before);
});

test('a restart changes nothing, cleanup takes everything back', async () => {
  const sandboxes = [w1, w2, w3];
  const empty = await kernelState(site.gateway, sandboxes);
  const cell = { driver: 'bridge', subnet: '172.30.0.0/24', subnet6: 'fd00:30::/64', icc: false };
  const { networks, workloads } = cells();
  await apply(gateway, 1, {
    networks: { ...networks, cell },
    workloads: { ...workloads, w1: workload(w1, { cell: { publish: ['8080:80', '127.0.0.1:9000-9009:80-89/udp'] } }) },
  });
  const full = await kernelState(site.gateway, sandboxes);
  expect(full).toMatch(/forwards IPv6 .*lsb-cell/);
  expect(full).toContain('passes 127.0.0.0/8 lsb-cell\n');
  expect(full).toMatch(/master lsb-cell hairpin/);
  await gateway.stop();
  expect(await kernelState(site.gateway, sandboxes)).toBe(full);
  await site.gateway.exec(process.execPath, builtService(), '--config', `${gateway.dir}/linkspand.json`, '--cleanup');
  expect(await forwarding()).toBe('0');
  expect(await kernelState(site.gateway, sandboxes)).toBe(empty);
});
