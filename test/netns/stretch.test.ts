import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Dnsmasq } from '../lab/dnsmasq.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { PingStream } from '../lab/ping.ts';
import { type Site, type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { Capture } from './support/capture.ts';
import { apply, type Spec, workload } from './support/documents.ts';
import { askForLease } from './support/dhcp.ts';
import { macOf } from './support/frames.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';
import { startEnd, type StretchEnd } from './support/stretch-end.ts';
import { sendHashed } from './support/transfer.ts';

const BRIDGE = 'lsb-line';
const PORT = { kernel: 'lsx-line', user: 'lsu-line' } as const;
const [PLC_A, PLC_B, WORK_A, WORK_B] = ['10.20.0.10', '10.20.0.20', '10.20.0.31', '10.20.0.41'];
const SIX = 'fd00:20::';
/** For both gateways' moves; a workload that must ask for its neighbours anew meanwhile is dark for a second. */
const GAP_MS = 1000;

type Row = { readonly mac: string; readonly ifname: string; readonly flags: readonly string[]; readonly dst?: string };
type MacRow = { readonly m: string; readonly q: number; readonly s: number };

async function table({ site }: StretchEnd): Promise<readonly Row[]> {
  const { stdout } = await site.gateway.exec('bridge', '-j', 'fdb', 'show');
  return JSON.parse(stdout) as readonly Row[];
}

/** The host's kernel may have no VLANs, so what is stretched here are the plant's untagged frames. */
describe.each(['kernel', 'user'] as const)('a network stretched to the plants of two sites, engine %s', (engine) => {
  const lab = new Lab();
  let sites: Sites;
  let fleet: FleetBroker;
  let a: StretchEnd;
  let b: StretchEnd;
  let version = 0;

  const names = { a: gatewayName(`${engine}-a`), b: gatewayName(`${engine}-b`) };

  const start = (site: Site, name: 'a' | 'b', address: string): Promise<StretchEnd> =>
    startEnd(lab, site, { name: names[name], broker: fleet.broker.url, address });

  beforeAll(async () => {
    builtService();
    sites = await twoSites(lab);
    fleet = await startBroker(lab, sites.a.gateway, sites.a.underlay);
    for (const { gateway, plc } of [sites.a, sites.b]) {
      // A veth claims to finish checksums inside a tunnel, and does not.
      await gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
      await plc.exec('ethtool', '-K', 'eth0', 'tx', 'off');
      const last = plc === sites.a.plc ? '10' : '20';
      await plc.ip('address', 'add', `${SIX}${last}/64`, 'dev', 'eth0', 'nodad');
    }
    a = await start(sites.a, 'a', WORK_A);
    b = await start(sites.b, 'b', WORK_B);
  });
  afterAll(() => lab.close());

  function documentOf({ workload: namespace, address }: StretchEnd, stretch: boolean): Spec {
    const line = { driver: 'overlay', vni: 10_110, subnet: '10.20.0.0/24', subnet6: `${SIX}/64`, engine };
    const six = `${SIX}${address.split('.')[3]}`;
    return {
      uplinks: { lan: { interface: 'lan0' } },
      networks: { line: stretch ? { ...line, stretch: { uplink: 'lan' } } : line },
      workloads: { [`w${address.split('.')[3]}`]: workload(namespace, { line: { address, address6: six } }) },
    };
  }

  async function everywhere(stretch: boolean): Promise<void> {
    version += 1;
    for (const end of [a, b]) await apply(end.gateway, version, documentOf(end, stretch));
  }

  const published = (name: 'a' | 'b'): readonly MacRow[] =>
    (fleet.operator.topic(`vni/10110/gw/${names[name]}`)?.['macs'] ?? []) as readonly MacRow[];

  test('switched on, the workloads keep their interfaces and all that is on them', async () => {
    await everywhere(false);
    await until('the workloads to reach each other', () => a.workload.reaches(WORK_B));
    expect(await a.workload.reaches(PLC_A)).toBe(false);
    await a.workload.ip('address', 'add', '10.20.0.99/32', 'dev', 'eth0');
    const stream = await PingStream.start(lab, a.workload, WORK_B);
    await until('an answer', () => stream.firstAnswer());
    await everywhere(true);
    await until('the workload to reach its PLC', () => a.workload.reaches(PLC_A));
    await until('the workloads to reach each other', () => a.workload.reaches(WORK_B));
    const { longestGapMs } = await stream.stop();
    expect(longestGapMs).toBeLessThan(GAP_MS);
    expect((await a.workload.ip('address', 'show', 'dev', 'eth0')).stdout).toContain('10.20.0.99/32');
    expect((await a.gateway.status()).networks).toMatchObject([{ engine, problem: null, mtu: 1450 }]);
  });

  test('PLCs and containers of both sites are on one network', async () => {
    const { plc } = sites.a;
    await until('one PLC to reach the other', () => plc.reaches(PLC_B));
    const pairs: readonly [Namespace, string][] = [
      [plc, WORK_A],
      [plc, WORK_B],
      [sites.b.plc, WORK_A],
      [a.workload, PLC_B],
      [b.workload, PLC_A],
      [b.workload, WORK_A],
      [plc, `${SIX}20`],
      [plc, `${SIX}41`],
      [b.workload, `${SIX}10`],
    ];
    for (const [from, to] of pairs) expect([to, await from.reaches(to, 3)]).toEqual([to, true]);
  });

  test('a PLC’s MAC is published, with no word of when it spoke, and known at the other site', async () => {
    const mac = await macOf(sites.a.plc, 'eth0');
    await until('A to publish it', () => published('a').some(({ m }) => m === mac));
    expect(published('a')).toContainEqual({ m: mac, ip: [], q: 0, s: 0 });
    await until('B to have it', async () => {
      const row = (await table(b)).find(
        (one) => one.mac === mac && one.ifname === PORT[engine] && one.dst === undefined,
      );
      return row?.flags.includes('extern_learn');
    });
    const fdb = JSON.parse((await b.gateway.cli('fdb', '--json')).stdout) as { mac: string; gateway: string }[];
    expect(fdb).toContainEqual(expect.objectContaining({ mac, gateway: names.a, origin: 'peer' }));
    const before = fleet.operator.topic(`vni/10110/gw/${names.a}`)?.['seq'];
    for (let count = 0; count < 3; count += 1) await sites.a.plc.reaches(PLC_B);
    expect(fleet.operator.topic(`vni/10110/gw/${names.a}`)?.['seq']).toBe(before);
  });

  test('unicast passes only where its target is', async () => {
    const plant = await Capture.start(lab, sites.a.gateway, 'lan0', 'icmp', 'and', 'host', WORK_A);
    const underlay = await Capture.start(lab, sites.a.gateway, 'wan0', 'udp', 'port', '4789');
    expect(await a.workload.reaches(PLC_B)).toBe(true);
    expect(await b.workload.reaches(WORK_A)).toBe(true);
    expect(await sites.a.plc.reaches(WORK_A)).toBe(true);
    await until('the capture to see the last', () => plant.text().includes(`${PLC_A} > ${WORK_A}: ICMP echo request`));
    const [inside, outside] = [await plant.stop(), await underlay.stop()];
    expect(inside).not.toContain(PLC_B);
    expect(inside).not.toContain(WORK_B);
    expect(outside).toContain(`${WORK_A} > ${PLC_B}: ICMP echo request`);
    expect(outside).not.toContain(`${PLC_A} > ${WORK_A}`);
  });

  test('TCP between PLCs whose own MTU is the plant’s passes, both ways', async () => {
    const [first, second] = [sites.a.plc, sites.b.plc];
    const syns = await Capture.start(lab, sites.b.gateway, 'lan0', 'tcp[tcpflags] & tcp-syn != 0');
    for (const [from, to, address] of [
      [first, second, PLC_B],
      [second, first, PLC_A],
      [first, second, `${SIX}20`],
    ] as const) {
      const hashes = await sendHashed(lab, { from, to, address, protocol: 'tcp', bytes: 3_000_000, mtu: 1500 });
      expect(hashes.received).toBe(hashes.sent);
    }
    // What A's PLC promises has passed both gateways; what B's does has passed none here.
    const told = await syns.stop();
    expect(told).toMatch(new RegExp(`${PLC_A}\\.\\d+ > .*mss 1410`));
    expect(told).not.toMatch(new RegExp(`${PLC_A}\\.\\d+ > .*mss 1460`));
  });

  test('a packet that is too big and may not be cut up is answered with the MTU that passes', async () => {
    const ping = (size: number, to: string): Promise<{ stdout: string; code: number }> =>
      sites.a.plc.attempt('ping', '-n', '-c', '1', '-W', '1', '-M', 'do', '-s', String(size), to);
    expect((await ping(1422, PLC_B)).code).toBe(0);
    await sites.a.plc.ip('route', 'flush', 'cache');
    expect((await ping(1423, PLC_B)).stdout).toMatch(/Frag needed and DF set \(mtu = 1450\)/);
    expect((await ping(1403, `${SIX}20`)).stdout).toMatch(/Packet too big: mtu=1450/);
  });

  test('what is too big and may be cut up passes in pieces, or is counted', async () => {
    const words = ['-n', '-c', '1', '-W', '1', '-M', 'dont', '-s', '1472'];
    const { code } = await sites.a.plc.attempt('ping', ...words, PLC_B);
    expect(code).toBe(engine === 'kernel' ? 0 : 1);
    if (engine === 'kernel') return;
    await until('it to be counted', async () => ((await a.gateway.status()).drops['too_big'] ?? 0) > 0);
  });

  test('a DHCP server of one plant leases there, containers too, and is not heard at the other', async () => {
    const server = await Dnsmasq.start(lab, sites.a.plc, 'eth0', ['dhcp-range=10.20.0.150,10.20.0.160']);
    expect(await askForLease(a.workload)).toMatch(/lease of 10\.20\.0\.1[56]\d obtained/);
    for (const from of [b.workload, sites.b.plc]) expect(await askForLease(from)).toContain('no lease');
    expect(server.log()).not.toContain(await macOf(sites.b.plc, 'eth0'));
    await until('it to be counted', async () => {
      const [network] = (await b.gateway.status()).networks;
      return (network?.guards?.dropped_out['dhcp'] ?? 0) > 0;
    });
  });

  test('without its uplink the network says so and goes on; it joins again when that is back', async () => {
    await sites.a.gateway.ip('link', 'delete', 'lan0');
    await until('it to be said', async () =>
      (await a.gateway.status()).networks[0]?.problem?.includes('lan0 of uplink lan is gone'),
    );
    expect(await a.workload.reaches(WORK_B)).toBe(true);
    await lab.veth(sites.a.gateway, 'lan0', sites.a.switch, 'gw');
    await sites.a.switch.ip('link', 'set', 'gw', 'master', 'br0');
    await until('the PLCs to reach each other', () => sites.a.plc.reaches(PLC_B));
    // Frames flow before the cycle that let them is told.
    await until('that to be told', async () => (await a.gateway.status()).networks[0]?.problem === null);
  });

  test('a device that moves to the other site is found there, and no longer claimed here', async () => {
    const mac = '02:00:00:00:77:01';
    const robot = await lab.namespace(`${engine}-robot`);
    const plugIn = async (site: Site): Promise<void> => {
      await lab.veth(site.switch, 'robot', robot, 'eth0');
      await site.switch.ip('link', 'set', 'robot', 'master', 'br0');
      await robot.batch([`link set eth0 address ${mac}`, 'address add 10.20.0.77/24 dev eth0']);
    };
    await plugIn(sites.a);
    await until('the robot to be found', () => b.workload.reaches('10.20.0.77'));
    await until('A to publish it', () => published('a').some(({ m }) => m === mac));
    await until('B to know it', async () =>
      (await table(b)).some((row) => row.mac === mac && row.flags.includes('extern_learn')),
    );
    await robot.ip('link', 'delete', 'eth0');
    await plugIn(sites.b);
    await until('the robot to be heard at B', () => robot.reaches(WORK_B));
    await until('B to publish it', () => published('b').some(({ m }) => m === mac));
    await until('A to withdraw it', () => !published('a').some(({ m }) => m === mac));
    expect(await a.workload.reaches('10.20.0.77', 3)).toBe(true);
  });

  test('switched off, the workloads are back on the overlay alone and the uplink is as it was', async () => {
    const stream = await PingStream.start(lab, a.workload, WORK_B);
    await until('an answer', () => stream.firstAnswer());
    await everywhere(false);
    await until('the workloads to reach each other', () => a.workload.reaches(WORK_B));
    const { longestGapMs } = await stream.stop();
    expect(longestGapMs).toBeLessThan(GAP_MS);
    expect(await a.workload.reaches(PLC_A)).toBe(false);
    expect(await sites.a.plc.reaches(PLC_B)).toBe(false);
    const links = await sites.a.gateway.ipJson<{ ifname: string; master?: string }[]>('link', 'show');
    expect(links.map(({ ifname }) => ifname)).not.toContain(BRIDGE);
    expect(links.filter(({ master }) => master !== undefined)).toEqual([]);
    expect((await a.workload.ip('address', 'show', 'dev', 'eth0')).stdout).toContain('10.20.0.99/32');
  });

  test('an uplink that has an address of the gateway’s is left alone', async () => {
    await sites.a.gateway.ip('address', 'add', '10.20.0.1/24', 'dev', 'lan0');
    version += 1;
    await apply(a.gateway, version, documentOf(a, true));
    const { networks } = await a.gateway.status();
    expect(networks[0]?.problem).toContain("has this gateway's address 10.20.0.1/24");
    expect(await a.workload.reaches(WORK_B)).toBe(true);
    await sites.a.plc.ip('address', 'add', `${WORK_A}/32`, 'dev', 'eth0');
    await sites.a.gateway.ip('address', 'del', '10.20.0.1/24', 'dev', 'lan0');
    await until(
      'the network to be stretched',
      async () => (await a.gateway.status()).networks[0]?.problem === null,
      20_000,
    );
    // From now on it is the plant's wire, on which a device may have a workload's address.
    await until('that to be said', async () =>
      (await a.gateway.status()).endpoints[0]?.problem?.includes(`has its address ${WORK_A} too`),
    );
  });
});
