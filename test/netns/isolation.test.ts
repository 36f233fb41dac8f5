import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { Capture } from './support/capture.ts';
import { AT, type CellLab, cellLab, PLANT, PLC } from './support/cell-lab.ts';
import { apply } from './support/documents.ts';
import { macOf } from './support/frames.ts';

let cell: CellLab;
let host: Namespace;
let plc: Namespace;
let w1: Namespace;
let w2: Namespace;
let w3: Namespace;

beforeEach(async () => {
  cell = await cellLab();
  [w1, w2, w3] = cell.workloads;
  ({ gateway: host, plc } = cell.site);
});
afterEach(() => cell.lab.close());

type Way = readonly [from: Namespace, to: string];

/** The ways that are open, by their place in the list. */
async function open(ways: readonly Way[]): Promise<number[]> {
  const reached = await Promise.all(ways.map(([from, to]) => from.reaches(to, 2)));
  return reached.flatMap((reaches, n) => (reaches ? [n] : []));
}

/** The plant's PLC takes the gateway for its router, as a misconfigured host would. */
const routeThrough = (): Promise<unknown> =>
  plc.batch([`route add default via ${PLANT[4]}`, `route add default via ${PLANT[6]}`]);

test('networks are apart in both families, their workloads reach the plant behind the gateway’s addresses', async () => {
  await apply(cell.gateway, 1, cell.cells([]));
  await routeThrough();
  const capture = await Capture.start(cell.lab, plc, 'eth0', 'icmp6 and ip6[40] == 128');
  const inside: readonly Way[] = [
    [w1, AT.w2.address],
    [w1, AT.w2.address6],
    [w1, PLC[4]],
    [w3, PLC[6]],
    [host, AT.w1.address6],
  ];
  const between: readonly Way[] = [
    [w1, AT.w3.address],
    [w1, AT.w3.address6],
    [w3, AT.w1.address6],
    [plc, AT.w1.address],
    [plc, AT.w1.address6],
  ];
  expect(await open(inside)).toEqual([0, 1, 2, 3, 4]);
  expect(await open(between)).toEqual([]);
  await until('the request', () => capture.text().includes(`${PLANT[6]} > ${PLC[6]}: ICMP6, echo request`));
});

test.each([1, 0])('with icc off and br_netfilter %i, neighbours do not see each other', async (filtered) => {
  for (const name of ['iptables', 'ip6tables']) await cell.sysctl(`bridge/bridge-nf-call-${name}`, filtered);
  await apply(cell.gateway, 1, cell.cells([], { icc: false }));
  const apart = async (): Promise<void> => {
    const capture = await Capture.start(cell.lab, w2, 'eth0', 'ether', 'src', 'not', await macOf(w2, 'eth0'));
    expect(
      await open([
        [w1, AT.w2.address],
        [w1, AT.w2.address6],
        [w2, AT.w1.address],
      ]),
    ).toEqual([]);
    expect(await capture.stop()).not.toContain(await macOf(w1, 'eth0'));
  };
  await apart();
  expect(
    await open([
      [w1, PLC[4]],
      [w1, '172.30.0.1'],
      [w2, PLC[6]],
      [host, AT.w2.address],
    ]),
  ).toEqual([0, 1, 2, 3]);
  // By way of their router neither.
  await w1.batch([`route add ${AT.w2.address} via 172.30.0.1`, `route add ${AT.w2.address6} via fd00:30::1`]);
  await w2.batch([`route add ${AT.w1.address} via 172.30.0.1`, `route add ${AT.w1.address6} via fd00:30::1`]);
  expect(
    await open([
      [w1, AT.w2.address],
      [w1, AT.w2.address6],
    ]),
  ).toEqual([]);
  // Somebody takes the rules away: the next look closes the ports, and puts the rules back.
  await host.exec('nft', 'delete', 'table', 'bridge', 'linkspan');
  await host.ip('link', 'set', 'lan0', 'txqueuelen', '997');
  await until('the rules', async () => (await host.attempt('nft', 'list', 'table', 'bridge', 'linkspan')).code === 0);
  await apart();
  await apply(cell.gateway, 2, cell.cells([]));
  await w1.ip('route', 'del', AT.w2.address);
  await w2.ip('route', 'del', AT.w1.address);
  expect(await open([[w1, AT.w2.address]])).toEqual([0]);
});

test('a workload that publishes a port does not have its own broadcasts back', async () => {
  await apply(cell.gateway, 1, cell.cells(['8080:80']));
  const { stdout } = await host.exec('bridge', '-d', 'link', 'show');
  expect(stdout).toContain('hairpin on');
  const heard = await Capture.start(cell.lab, w2, 'eth0', 'arp');
  const back = await Capture.start(cell.lab, w1, 'eth0', '-Q', 'in', 'ether', 'src', await macOf(w1, 'eth0'));
  await w1.attempt('ping', '-c', '1', '-W', '1', '172.30.0.99');
  await until('the broadcast', () => heard.text().includes('who-has 172.30.0.99'));
  expect(await back.stop()).not.toContain('who-has');
});

test('an internal network reaches its gateway and nothing else', async () => {
  await cell.sysctl('ipv4/ip_forward', 1);
  await cell.sysctl('ipv6/conf/all/forwarding', 1);
  await apply(cell.gateway, 1, cell.cells([], { internal: true }));
  expect((await w1.exec('ip', 'route', 'show', 'default')).stdout).toBe('');
  await w1.batch(['route add default via 172.30.0.1', 'route add default via fd00:30::1']);
  await routeThrough();
  expect(
    await open([
      [w1, '172.30.0.1'],
      [w1, AT.w2.address6],
      [host, AT.w1.address],
    ]),
  ).toEqual([0, 1, 2]);
  expect(
    await open([
      [w1, PLC[4]],
      [w1, PLC[6]],
      [w1, AT.w3.address],
      [w3, AT.w1.address6],
      [plc, AT.w1.address],
    ]),
  ).toEqual([]);
});

test('without masquerade, the plant sees the workloads’ own addresses, and reaches in no more than before', async () => {
  await apply(cell.gateway, 1, cell.cells([], { masquerade: false }));
  const capture = await Capture.start(cell.lab, plc, 'eth0', 'icmp');
  expect(await open([[w1, PLC[4]]])).toEqual([]);
  await routeThrough();
  expect(
    await open([
      [w1, PLC[4]],
      [w1, PLC[6]],
      [plc, AT.w1.address],
    ]),
  ).toEqual([0, 1]);
  expect(capture.text()).toContain(`${AT.w1.address} > ${PLC[4]}: ICMP echo request`);
});

test('a bridge of the gateway’s own goes on bridging, though br_netfilter shows its frames to our rules', async () => {
  const [one, two] = [await cell.site.workload('one'), await cell.site.workload('two')];
  await cell.lab.veth(host, 'port1', one, 'eth0');
  await cell.lab.veth(host, 'port2', two, 'eth0');
  await cell.lab.bridge(host, 'br0', ['port1', 'port2']);
  await one.batch(['address add 10.77.0.1/24 dev eth0', 'address add fd00:77::1/64 dev eth0 nodad']);
  await two.batch(['address add 10.77.0.2/24 dev eth0', 'address add fd00:77::2/64 dev eth0 nodad']);
  expect(
    await open([
      [one, '10.77.0.2'],
      [two, 'fd00:77::1'],
    ]),
  ).toEqual([0, 1]);
  await apply(cell.gateway, 1, cell.cells([]));
  expect(
    await open([
      [one, '10.77.0.2'],
      [two, 'fd00:77::1'],
    ]),
  ).toEqual([0, 1]);
});
