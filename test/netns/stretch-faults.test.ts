import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { PingStream } from '../lab/ping.ts';
import { type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply, applyText, documentText, type Spec, workload } from './support/documents.ts';
import { macOf } from './support/frames.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';

const MACS = fileURLToPath(new URL('support/macs.child.ts', import.meta.url));
const [BRIDGE, PORT, PLC, HERE, THERE] = ['lsb-line', 'lsx-line', '10.20.0.10', '10.20.0.31', '10.20.0.99'];

type Link = {
  readonly ifname: string;
  readonly linkinfo?: { readonly info_data?: Readonly<Record<string, unknown>> };
};

const lab = new Lab();
let sites: Sites;
let fleet: FleetBroker;
let a: Gateway;
let inside: Namespace;
let version = 0;

const host = (): Namespace => sites.a.gateway;
const problem = async (): Promise<string | null | undefined> => (await a.status()).networks[0]?.problem;
const table = async (): Promise<string> => (await host().exec('bridge', 'fdb', 'show', 'br', BRIDGE)).stdout;

function stretched(): Spec {
  const line = { driver: 'overlay', vni: 10_110, subnet: '10.20.0.0/24', peers: ['198.51.100.2'], engine: 'kernel' };
  return {
    uplinks: { lan: { interface: 'lan0' } },
    networks: { line: { ...line, stretch: { uplink: 'lan' } } },
    workloads: { w: workload(inside, { line: { address: HERE } }) },
  };
}

const next = (spec: Spec): Promise<void> => apply(a, (version += 1), spec);
/** Without waiting until it stands. */
const tell = (spec: Spec): Promise<unknown> => applyText(a, documentText((version += 1), spec));

beforeAll(async () => {
  builtService();
  sites = await twoSites(lab);
  const { gateway, underlay } = sites.a;
  fleet = await startBroker(lab, gateway, underlay);
  const config = { gateway: gatewayName('a'), fleet: 'plant', underlay: { address: underlay } };
  const rest = { mqtt: { url: fleet.broker.url }, status: { listen: '127.0.0.1:0' } };
  a = await startGateway(lab, { namespace: gateway, config: { ...config, ...rest } });
  inside = await sites.a.workload('w');
  await sites.b.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
  await gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
  await sites.b.gateway.batch([
    'link add foreign type vxlan id 10110 local 198.51.100.2 remote 198.51.100.1 dstport 4789',
    `address add ${THERE}/24 dev foreign`,
    'link set foreign mtu 1450 up',
  ]);
});
afterAll(() => lab.close());

test('where something in another namespace stands on the uplink, that is said, and the other sites are reached', async () => {
  const other = await lab.namespace('other');
  await host().batch(['link set lan0 up', 'link add link lan0 name mv0 type macvlan mode bridge']);
  await host().ip('link', 'set', 'mv0', 'netns', other.name);
  await tell(stretched());
  await until('the other site', () => inside.reaches(THERE));
  await until('that to be said', async () => (await problem())?.includes('lan0'));
  await other.ip('link', 'delete', 'mv0');
  await until('the PLC', () => inside.reaches(PLC), 90_000);
  await until('no problem', async () => (await problem()) === null);
}, 120_000);

test('a peer that says it has the MAC of the bridge or of a port of it holds nothing up', async () => {
  await next(stretched());
  const own = await Promise.all([BRIDGE, PORT, 'lan0'].map((name) => macOf(host(), name)));
  const macs = [...own, '02:00:00:00:00:99'].map((m, n) => ({ m, ip: [], q: 7, s: n % 2 }));
  const vtep = [{ ip: '198.51.100.9', port: 4789 }];
  const record = { vni: 10_110, gw: 'forged', mtu: 1450, bum: 'replicate', vtep };
  await fleet.operator.forge('vni/10110/gw/forged', { ...record, macs });
  await until('what else it says to be believed', async () => (await table()).includes('02:00:00:00:00:99'));
  await a.cli('apply', '--wait', '1');
  expect(await problem()).toBe(null);
  expect(await table()).toMatch(new RegExp(`${own[0]} dev ${BRIDGE} .*permanent`));
  await fleet.operator.forge('vni/10110/gw/forged', { ...record, seq: 2, macs: [] });
});

test('a workload elsewhere that takes a known device’s MAC is told of, until it has another', async () => {
  await next(stretched());
  const plc = await macOf(sites.a.plc, 'eth0');
  await until('the PLC', () => inside.reaches(PLC));
  await until('it to be published', async () => (await a.cli('fdb', '--json')).stdout.includes(plc));
  const vtep = [{ ip: '198.51.100.9', port: 4789 }];
  const record = { vni: 10_110, gw: 'twin', mtu: 1450, bum: 'replicate', vtep };
  await fleet.operator.forge('vni/10110/gw/twin', { ...record, macs: [{ m: plc, ip: [], q: 1, s: 1 }] });
  await until('it to take the PLC’s place', async () => (await table()).includes(`${plc} dev ${PORT} sticky`));
  await until('that to be said', async () => (await problem())?.includes(`${plc}, which is a workload's`));
  await sites.a.plc.reaches(THERE);
  expect((await a.status()).networks[0]?.problem).toContain(plc);
  await fleet.operator.forge('vni/10110/gw/twin', { ...record, seq: 2, macs: [] });
  await until('no problem', async () => (await problem()) === null);
  expect(await inside.reaches(PLC, 3)).toBe(true);
});

test('a device that a peer claims and that had not gone is this gateway’s again within seconds', async () => {
  await next(stretched());
  const plc = await macOf(sites.a.plc, 'eth0');
  const published = (): number | undefined => {
    const { macs = [] } = (fleet.operator.topic(`vni/10110/gw/${gatewayName('a')}`) ?? {}) as {
      macs?: { m: string; q: number }[];
    };
    return macs.find(({ m }) => m === plc)?.q;
  };
  const record = { vni: 10_110, gw: 'taker', mtu: 1450, bum: 'replicate', vtep: [{ ip: '198.51.100.9', port: 4789 }] };
  const take = (seq: number, q: number): Promise<void> =>
    fleet.operator.forge('vni/10110/gw/taker', { ...record, seq, macs: [{ m: plc, ip: [], q, s: 0 }] });
  await until('the PLC', () => inside.reaches(PLC));
  await until('it to be published', () => published() !== undefined);
  // one that is silent until the cycle that has withdrawn it, and the one which that wakes, are over
  for (const q of [5, 10, 15]) {
    await take(q, q);
    await until('it to be left to the peer', () => published() === undefined);
    await sleep(300);
    await sites.a.plc.reaches(HERE);
    await until('it to be claimed anew', () => published() === q + 1, 10_000);
  }
  // one that never stops is not seen to go
  const stream = await PingStream.start(lab, sites.a.plc, HERE);
  await take(20, 20);
  await until('it to be claimed anew', () => published() === 21, 10_000);
  await stream.stop();
  await until('no problem', async () => (await problem()) === null);
  await fleet.operator.forge('vni/10110/gw/taker', { ...record, seq: 21, macs: [] });
}, 120_000);

async function settings(): Promise<unknown> {
  const [bridge] = await host().ipJson<Link[]>('-d', 'link', 'show', 'dev', BRIDGE);
  const { stp_state, mcast_snooping, group_fwd_mask, ageing_time } = bridge?.linkinfo?.info_data ?? {};
  return { stp_state, mcast_snooping, group_fwd_mask, ageing_time };
}

const PLAIN = { stp_state: 0, mcast_snooping: 0, group_fwd_mask: '0', ageing_time: 30_000 };

test('what somebody changes of the bridge and its ports is as it was', async () => {
  await next(stretched());
  expect(await settings()).toEqual(PLAIN);
  const words = 'stp_state 1 mcast_snooping 1 group_fwd_mask 8 ageing_time 100';
  await host().ip('link', 'set', BRIDGE, 'type', 'bridge', ...words.split(' '));
  await until('that to be mended', async () => JSON.stringify(await settings()) === JSON.stringify(PLAIN));
  await host().ip('link', 'set', 'lan0', 'nomaster');
  await until('the PLC', () => inside.reaches(PLC));
  await host().exec('bridge', 'link', 'set', 'dev', 'lan0', 'learning', 'off');
  await until('it to learn', async () =>
    (await host().exec('bridge', '-d', 'link', 'show', 'dev', 'lan0')).stdout.includes('learning on'),
  );
});

test('a network that is given another VNI and stretched at once keeps what its workload has', async () => {
  await next({});
  const { networks, ...rest } = stretched();
  const line = { driver: 'overlay', vni: 10_111, subnet: '10.20.0.0/24', peers: ['198.51.100.2'], engine: 'kernel' };
  await next({ ...rest, networks: { line } });
  await inside.ip('address', 'add', '10.20.0.77/32', 'dev', 'eth0');
  await next({ ...rest, networks: networks ?? {} });
  await until('the PLC', () => inside.reaches(PLC));
  await until('the other site', () => inside.reaches(THERE));
  expect((await inside.ip('address', 'show', 'dev', 'eth0')).stdout).toContain('10.20.0.77/32');
});

test('a bridge network that becomes a stretched one is a plain switch', async () => {
  await next({ networks: { line: { driver: 'bridge', subnet: '172.30.0.0/24' } } });
  await next(stretched());
  await until('the PLC', () => inside.reaches(PLC));
  expect(await settings()).toEqual(PLAIN);
});

test('a stretched network that becomes a bridge network has that one’s IPv6', async () => {
  await next(stretched());
  const line = { driver: 'bridge', subnet: '172.30.0.0/24', subnet6: 'fd00:30::/64' };
  const w = workload(inside, { line: { address: '172.30.0.31', address6: 'fd00:30::31' } });
  await next({ networks: { line }, workloads: { w } });
  expect(await inside.reaches('fd00:30::1', 3)).toBe(true);
  expect((await a.status()).networks[0]?.problem).toBe(null);
});

test('a device that sends with a hundred thousand MACs leaves the gateway its memory and its pace', async () => {
  await next(stretched());
  const station = await macOf(inside, 'eth0');
  await sites.a.plc.exec(process.execPath, MACS, 'eth0', station, '100000');
  const count = (await table()).match(/^06:.* dev lan0 /gm)?.length ?? 0;
  process.stderr.write(`${count} MACs learned\n`);
  await until('that to be said', async () => (await problem())?.includes('devices on its VLAN'));
  const started = performance.now();
  await next({ ...stretched(), workloads: {} });
  process.stderr.write(`the next document took ${Math.round(performance.now() - started)} ms\n`);
  expect(count).toBeLessThanOrEqual(4096);
  await host().ip('link', 'set', 'lan0', 'type', 'bridge_slave', 'fdb_flush');
  await until('that it is over', async () => (await problem()) === null);
});

test('nor does a foreign VTEP that sends with a hundred thousand MACs fill the kernel’s memory', async () => {
  await next(stretched());
  const station = await macOf(inside, 'eth0');
  await until('the other site', () => inside.reaches(THERE));
  await sites.b.gateway.exec(process.execPath, MACS, 'foreign', station, '100000');
  const { stdout } = await host().exec('bridge', 'fdb', 'show', 'dev', PORT);
  const count = (end: string): number => stdout.match(new RegExp(`^06:.*${end}`, 'gm'))?.length ?? 0;
  process.stderr.write(`${count('dst 198.51.100.2 self')} and ${count('master')} MACs learned\n`);
  expect(count('dst 198.51.100.2 self')).toBeLessThanOrEqual(65_536);
  expect(count('master')).toBeLessThanOrEqual(4096);
  const started = performance.now();
  await next({ ...stretched(), workloads: {} });
  process.stderr.write(`the next document took ${Math.round(performance.now() - started)} ms\n`);
});
