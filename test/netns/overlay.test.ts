import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Gateway } from '../lab/gateway.ts';
import { startGateway } from '../lab/gateway.ts';
import { Lab, withLab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { PingStream } from '../lab/ping.ts';
import { type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { Capture } from './support/capture.ts';
import { apply, documentText, type Spec, workload } from './support/documents.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';

const GW_A = gatewayName('a');
const GW_B = gatewayName('b');
const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24', subnet6: 'fd00:110::/64' };
const OTHER = { driver: 'overlay', vni: 10_120, subnet: '10.120.0.0/24' };

function config(gateway: string, address: string, url: string): Record<string, unknown> {
  const status = { listen: '127.0.0.1:0' };
  return { gateway, fleet: 'plant', underlay: { address }, mqtt: { url }, status };
}

describe('two sites, a broker at the first', () => {
  const lab = new Lab();
  let sites: Sites;
  let fleet: FleetBroker;
  let a: Gateway;
  let b: Gateway;
  let workloads: { a1: Namespace; a2: Namespace; a3: Namespace; b1: Namespace; b3: Namespace };
  let specB: Spec;

  beforeAll(async () => {
    builtService();
    sites = await twoSites(lab);
    fleet = await startBroker(lab, sites.a.gateway, sites.a.underlay);
    const [a1, a2, a3] = [await sites.a.workload('w1'), await sites.a.workload('w2'), await sites.a.workload('w3')];
    const [b1, b3] = [await sites.b.workload('w1'), await sites.b.workload('w3')];
    workloads = { a1, a2, a3, b1, b3 };
    const { url } = fleet.broker;
    a = await startGateway(lab, { namespace: sites.a.gateway, config: config(GW_A, sites.a.underlay, url) });
    b = await startGateway(lab, { namespace: sites.b.gateway, config: config(GW_B, sites.b.underlay, url) });
    const specA = {
      networks: { line: LINE, other: OTHER },
      workloads: {
        w1: workload(a1, { line: { address: '10.110.0.11', address6: 'fd00:110::11', mac: '02:00:00:00:00:11' } }),
        w2: workload(a2, { line: { address: '10.110.0.12', address6: 'fd00:110::12' } }),
        w3: workload(a3, { other: { address: '10.120.0.13' } }),
      },
    };
    specB = {
      networks: { line: LINE, other: OTHER },
      workloads: {
        b1: workload(b1, { line: { address: '10.110.0.21', address6: 'fd00:110::21', mac: '02:00:00:00:00:21' } }),
        b3: workload(b3, { other: { address: '10.120.0.23' } }),
      },
    };
    await fleet.operator.apply(GW_A, documentText(1, specA));
    await fleet.operator.apply(GW_B, documentText(1, specB));
    await until('the sites to reach each other', () => workloads.a1.reaches('10.110.0.21'));
  });
  afterAll(() => lab.close());

  test('records, manifest and report hold the fields of the contract', async () => {
    const record = fleet.operator.topic(`vni/10110/gw/${GW_A}`);
    const names = 'v fleet vni gw epoch seq iat exp vtep mtu bum caps macs pages'.split(' ');
    expect(Object.keys(record ?? {})).toEqual(expect.arrayContaining(names));
    expect(record).toMatchObject({ v: 1, fleet: 'plant', vni: 10_110, gw: GW_A, mtu: 1450, bum: 'replicate' });
    expect(record?.['vtep']).toEqual([{ ip: '198.51.100.1', port: 4789 }]);
    const first = { m: '02:00:00:00:00:11', ip: ['10.110.0.11', 'fd00:110::11'], q: 0, s: 1, n: ['w1'] };
    expect(record?.['macs']).toEqual(expect.arrayContaining([first]));
    const alive = fleet.operator.topic(`gw/${GW_A}/alive`);
    expect(alive).toMatchObject({ state: 'up', epoch: record?.['epoch'], vteps: [{ ip: '198.51.100.1', port: 4789 }] });
    const vnis = alive?.['vnis'] as Record<string, [number, string]>;
    expect(Object.keys(vnis)).toEqual(['10110', '10120']);
    expect(vnis['10110']?.[0]).toBe(record?.['seq']);
    // Frames flow before the cycle that let them is told.
    const reported = await until('the report to count the peer', () => {
      const topic = fleet.operator.topic(`gw/${GW_A}/reported`);
      const networks = topic?.['networks'] as Record<string, { peers: number }> | undefined;
      return networks?.['line']?.peers === 1 ? topic : undefined;
    });
    expect(reported).toMatchObject({ applied_version: 1, lkg_version: 1, state: 'applied', errors: [] });
    expect(reported['applied_hash']).toMatch(/^[0-9a-f]{64}$/);
    expect(reported['networks']).toMatchObject({ line: { vni: 10_110, engine: 'kernel', endpoints: 2, peers: 1 } });
  });

  test('ARP and ping both ways, IPv4 and IPv6', async () => {
    const { a1, b1 } = workloads;
    await a1.exec('arping', '-c', '1', '-w', '2', '-I', 'eth0', '10.110.0.21');
    await b1.exec('arping', '-c', '1', '-w', '2', '-I', 'eth0', '10.110.0.11');
    const neighbours = await a1.ip('neigh', 'flush', 'all').then(() => a1.reaches('fd00:110::21', 3));
    expect(neighbours).toBe(true);
    expect(await b1.reaches('10.110.0.11')).toBe(true);
    expect(await b1.reaches('fd00:110::11')).toBe(true);
    const seen = await a1.ip('neigh', 'show', 'fd00:110::21');
    expect(seen.stdout).toContain('02:00:00:00:00:21');
  });

  test('siblings on one gateway talk, also in IPv6', async () => {
    expect(await workloads.a1.reaches('10.110.0.12')).toBe(true);
    expect(await workloads.a2.reaches('fd00:110::11')).toBe(true);
    expect(await workloads.a2.reaches('10.110.0.21')).toBe(true);
  });

  test.each([
    ['MAC', 'duplicate_mac', '02:00:00:00:00:11', '10.110.0.29'],
    ['address', 'duplicate_address', '02:00:00:00:00:29', '10.110.0.11'],
  ])('one %s at two sites is said by both and forgotten with its cause', async (what, code, mac, address) => {
    const twin = await sites.b.workload(`twin-${what.toLowerCase()}`);
    const attach = ['attach', 'twin', 'line', '--netns', twin.name, '--mac', mac, '--address', address];
    expect(await b.cli(...attach)).toMatchObject({ code: 0 });
    for (const gateway of [GW_A, GW_B]) {
      await until(`${gateway} to report the duplicate`, () => {
        const errors = fleet.operator.topic(`gw/${gateway}/reported`)?.['errors'] as { code: string }[] | undefined;
        return errors?.some((error) => error.code === code);
      });
    }
    const twice = (await a.status()).endpoints.filter(({ problem }) => problem !== null);
    const names = what === 'MAC' ? mac : `${address} on VNI 10110 (its MAC is ${mac})`;
    expect(twice).toMatchObject([{ workload: 'w1', state: 'attached', problem: expect.stringContaining(names) }]);
    expect((await a.cli('events')).stdout).toContain(`warning ${code}: workload w1: gateway ${GW_B}`);
    expect((await a.status()).health).toMatchObject({ ok: false, ready: true });
    expect(await b.cli('detach', 'twin')).toMatchObject({ code: 0 });
    await until('the health to return', async () => (await a.status()).health.ok && (await b.status()).health.ok);
    // Its neighbours were told that the address is the twin's; they forget that as soon as they are told to.
    await workloads.b1.ip('neigh', 'flush', 'all');
    expect(await workloads.b1.reaches('10.110.0.11', 3)).toBe(true);
  });

  test('another VNI is out of reach, even with an address of the same subnet', async () => {
    const { a1, a3 } = workloads;
    expect(await a3.reaches('10.120.0.23')).toBe(true);
    await a3.batch(['address add 10.110.0.99/24 dev eth0']);
    try {
      expect(await a3.reaches('10.110.0.11')).toBe(false);
      expect(await a3.reaches('10.110.0.21')).toBe(false);
      expect(await a1.reaches('10.110.0.99')).toBe(false);
    } finally {
      await a3.batch(['address del 10.110.0.99/24 dev eth0']);
    }
  });

  test('behind a veth, whose packets come joined, the device does not join again', async () => {
    const { stdout } = await sites.a.gateway.exec('ethtool', '-k', 'lsx-line');
    expect(stdout).toContain('generic-receive-offload: off');
  });

  test('on the underlay it is VXLAN with the network’s VNI; the MTU leaves room for it', async () => {
    const capture = await Capture.start(lab, sites.b.gateway, 'wan0', 'udp', 'dst', 'port', '4789');
    expect(await workloads.a1.reaches('10.110.0.21')).toBe(true);
    expect(await workloads.a3.reaches('10.120.0.23')).toBe(true);
    await until('both VNIs on the wire', () => /vni 10110/.test(capture.text()) && /vni 10120/.test(capture.text()));
    expect(await capture.stop()).toMatch(/198\.51\.100\.1\.\d+ > 198\.51\.100\.2\.4789: VXLAN, flags \[I\].*vni 10110/);
    const [link] = await workloads.a1.ipJson<{ mtu: number }[]>('link', 'show', 'eth0');
    expect(link?.mtu).toBe(1450);
    await workloads.a1.exec('ping', '-n', '-c', '1', '-W', '1', '-M', 'do', '-s', String(1450 - 28), '10.110.0.21');
    const { code } = await workloads.a1.attempt(
      'ping',
      '-n',
      '-c',
      '1',
      '-W',
      '1',
      '-M',
      'do',
      '-s',
      '1423',
      '10.110.0.21',
    );
    expect(code).not.toBe(0);
  });

  test('a workload that comes, moves and goes at one site is known at the other', async () => {
    const fdb = async (): Promise<string> =>
      (await sites.a.gateway.exec('bridge', 'fdb', 'show', 'dev', 'lsx-line')).stdout;
    const w4 = await sites.b.workload('w4');
    const extra = workload(w4, { line: { address: '10.110.0.24', mac: '02:00:00:00:00:24' } });
    await fleet.operator.apply(GW_B, documentText(2, { ...specB, workloads: { ...specB.workloads, w4: extra } }));
    await until('its MAC at the other site', async () => (await fdb()).includes('02:00:00:00:00:24 dst 198.51.100.2'));
    expect(await workloads.a1.reaches('10.110.0.24')).toBe(true);
    await fleet.operator.apply(GW_B, documentText(3, specB));
    await until('its MAC to be gone', async () => !(await fdb()).includes('02:00:00:00:00:24'));
  });

  test('frames flow on without the broker, through a restart, and peers come from the state file', async () => {
    const started = performance.now();
    const stream = await PingStream.start(lab, workloads.b1, '10.110.0.11');
    await fleet.broker.kill9();
    await until('the gateway to notice', async () => !(await a.status()).broker.connected);
    await a.stop();
    const { url } = fleet.broker;
    a = await startGateway(lab, {
      namespace: sites.a.gateway,
      dir: a.dir,
      config: config(GW_A, sites.a.underlay, url),
    });
    const status = await a.status();
    expect(status.broker.connected).toBe(false);
    expect(status.peers).toMatchObject([{ gateway: GW_B, vtep: '198.51.100.2' }]);
    const fdb = await sites.a.gateway.exec('bridge', 'fdb', 'show', 'dev', 'lsx-line');
    expect(fdb.stdout).toContain('02:00:00:00:00:21 dst 198.51.100.2');
    expect(await workloads.a2.reaches('10.110.0.21')).toBe(true);
    await until('the ping stream to be long enough', () => performance.now() - started > 1500);
    const result = await stream.stop();
    expect(result).toMatchObject({ lost: 0 });
    expect(result.sent).toBeGreaterThan(50);
    await a.stop();
    // The hardest case: the device itself has to be made anew from what is stored.
    await sites.a.gateway.ip('link', 'del', 'lsx-line');
    a = await startGateway(lab, {
      namespace: sites.a.gateway,
      dir: a.dir,
      config: config(GW_A, sites.a.underlay, url),
    });
    expect(await workloads.a1.reaches('10.110.0.21', 2)).toBe(true);
  });

  test('a broker that comes back empty has every record again', async () => {
    fleet.operator.forget();
    await fleet.broker.restart();
    const topics = [
      `vni/10110/gw/${GW_A}`,
      `vni/10120/gw/${GW_A}`,
      `vni/10110/gw/${GW_B}`,
      `gw/${GW_A}/alive`,
      `gw/${GW_B}/reported`,
    ];
    await until('all topics', () => topics.every((topic) => fleet.operator.topic(topic) !== undefined), 30_000);
    expect(fleet.operator.topic(`gw/${GW_B}/alive`)).toMatchObject({ state: 'up' });
    expect(await workloads.b1.reaches('10.110.0.11')).toBe(true);
  });

  test('a rejected document is reported and changes nothing', async () => {
    const bad = { v: 1, version: 9, spec: { networks: { line: { ...LINE, vni: 0 } } } };
    await fleet.operator.publishDesired(GW_B, JSON.stringify(bad));
    const reported = await until('the rejection', () => {
      const topic = fleet.operator.topic(`gw/${GW_B}/reported`);
      return topic?.['state'] === 'rejected' ? topic : undefined;
    });
    expect(reported['errors']).toMatchObject([{ path: '/spec/networks/line/vni', code: 'vni_range' }]);
    expect(await workloads.b1.reaches('10.110.0.11')).toBe(true);
    expect((await b.status()).config.applied_version).toBe(3);
  });
});

test('a gateway with the embedded broker serves itself and a second one', async () => {
  builtService();
  await withLab(async (lab) => {
    const sites = await twoSites(lab);
    const [a1, b1] = [await sites.a.workload('w1'), await sites.b.workload('w1')];
    const a = await startGateway(lab, { namespace: sites.a.gateway, config: config(GW_A, sites.a.underlay, '') });
    const url = `mqtt://${sites.a.underlay}:1883`;
    const b = await startGateway(lab, { namespace: sites.b.gateway, config: config(GW_B, sites.b.underlay, url) });
    await apply(a, 1, {
      networks: { line: LINE },
      workloads: { w1: workload(a1, { line: { address: '10.110.0.11' } }) },
    });
    await apply(b, 1, {
      networks: { line: LINE },
      workloads: { b1: workload(b1, { line: { address: '10.110.0.21' } }) },
    });
    await until('the sites to reach each other', () => a1.reaches('10.110.0.21'));
    expect((await a.status()).broker.connected).toBe(true);
  });
});

test('packets are joined once on their way in: by the underlay, or else by the network’s own device', async () => {
  await withLab(async (lab) => {
    const namespace = await lab.namespace('joins');
    await namespace.batch(['link add wan0 type bridge', 'address add 198.51.100.1/24 dev wan0', 'link set wan0 up']);
    const gateway = await startGateway(lab, { namespace, config: config(GW_A, '198.51.100.1', '') });
    await apply(gateway, 1, { networks: { line: LINE } });
    const underlay = async (joins: 'on' | 'off'): Promise<void> => {
      await namespace.exec('ethtool', '-K', 'wan0', 'gro', joins, 'rx', joins);
      // ethtool makes no event that wakes the loop, another link does.
      await namespace.batch(['link add wake type veth peer name sleep', 'link del wake']);
    };
    const device = async (): Promise<string | undefined> =>
      /generic-receive-offload: (\w+)/.exec((await namespace.exec('ethtool', '-k', 'lsx-line')).stdout)?.[1];
    await underlay('off');
    await until('the device to join', async () => (await device()) === 'on');
    await namespace.exec('ethtool', '-K', 'lsx-line', 'gro', 'off');
    await underlay('off');
    await until('the device to join again', async () => (await device()) === 'on');
  });
});

test('broadcast over a multicast group of the underlay', async () => {
  builtService();
  await withLab(async (lab) => {
    const sites = await twoSites(lab);
    const [a1, b1] = [await sites.a.workload('w1'), await sites.b.workload('w1')];
    // Each has its own broker, so neither has the other's records: only the group joins them.
    const a = await startGateway(lab, { namespace: sites.a.gateway, config: config(GW_A, sites.a.underlay, '') });
    const b = await startGateway(lab, { namespace: sites.b.gateway, config: config(GW_B, sites.b.underlay, '') });
    const line = { ...LINE, bum: { multicast: '239.1.1.10' } };
    await apply(a, 1, { networks: { line }, workloads: { w1: workload(a1, { line: { address: '10.110.0.11' } }) } });
    await apply(b, 1, { networks: { line }, workloads: { b1: workload(b1, { line: { address: '10.110.0.21' } }) } });
    const capture = await Capture.start(lab, sites.b.gateway, 'wan0', 'dst', 'host', '239.1.1.10');
    await a1.attempt('arping', '-c', '1', '-w', '1', '-I', 'eth0', '10.110.0.21');
    await until('the group’s frame', () => /> 239\.1\.1\.10\.4789: VXLAN.*vni 10110/.test(capture.text()));
  });
});

test('a foreign VTEP that is only configured by hand, on both ends', async () => {
  builtService();
  await withLab(async (lab) => {
    const sites = await twoSites(lab);
    const a1 = await sites.a.workload('w1');
    const a = await startGateway(lab, { namespace: sites.a.gateway, config: config(GW_A, sites.a.underlay, '') });
    await sites.b.gateway.batch([
      'link add foreign type vxlan id 10110 local 198.51.100.2 remote 198.51.100.1 dstport 4789',
      'address add 10.110.0.200/24 dev foreign',
      'address add fd00:110::200/64 dev foreign nodad',
      'link set foreign up',
    ]);
    const line = { ...LINE, peers: ['198.51.100.2'] };
    const spec = {
      networks: { line },
      workloads: { w1: workload(a1, { line: { address: '10.110.0.11', address6: 'fd00:110::11' } }) },
    };
    await apply(a, 1, spec);
    expect(await a1.reaches('10.110.0.200', 2)).toBe(true);
    expect(await sites.b.gateway.reaches('10.110.0.11', 2)).toBe(true);
    expect(await a1.reaches('fd00:110::200', 3)).toBe(true);
    const learned = await sites.a.gateway.exec('bridge', 'fdb', 'show', 'dev', 'lsx-line');
    expect(learned.stdout).toMatch(/^(?!00:00:00:00:00:00)\S+ dst 198\.51\.100\.2 self/m);
    expect((await a.status()).peers).toMatchObject([{ vtep: '198.51.100.2', state: 'static' }]);
  });
});
