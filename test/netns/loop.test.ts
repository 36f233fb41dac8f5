import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sendFrames } from '../../src/host/packet-socket.ts';
import { parseMac } from '../../src/model/mac.ts';
import { gratuitousArp } from '../../src/packet/arp.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Site, type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { Capture } from './support/capture.ts';
import { apply, workload } from './support/documents.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';
import { startEnd, type StretchEnd } from './support/stretch-end.ts';

const PORT = { kernel: 'lsx-line', user: 'lsu-line' } as const;
const [PLC_A, PLC_B, WORK_A, WORK_B] = ['10.20.0.10', '10.20.0.20', '10.20.0.31', '10.20.0.41'];
const PROBES = ['ether', 'proto', '0x88b5'];

const lineOf = async ({
  gateway,
}: StretchEnd): Promise<{ problem: string | null; guards: { loop: string } | null }> => {
  const [line] = (await gateway.status()).networks;
  if (line === undefined) throw new Error('no network');
  return line;
};

describe.each(['kernel', 'user'] as const)('two sites joined by the overlay and by a cable, engine %s', (engine) => {
  const lab = new Lab();
  const names = { a: gatewayName(`${engine}-a`), b: gatewayName(`${engine}-b`) };
  const table = `linkspan-${PORT[engine]}/lan0`;
  let sites: Sites;
  let fleet: FleetBroker;
  let a: StretchEnd;
  let b: StretchEnd;
  let version = 0;

  const start = (site: Site, name: 'a' | 'b', address: string): Promise<StretchEnd> =>
    startEnd(lab, site, { name: names[name], broker: fleet.broker.url, address });

  beforeAll(async () => {
    builtService();
    sites = await twoSites(lab);
    fleet = await startBroker(lab, sites.a.gateway, sites.a.underlay);
    for (const { gateway } of [sites.a, sites.b]) await gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
    await lab.veth(sites.a.switch, 'cable', sites.b.switch, 'cable');
    for (const { switch: plant } of [sites.a, sites.b]) {
      await plant.batch(['link set cable down', 'link set cable master br0']);
    }
    a = await start(sites.a, 'a', WORK_A);
    b = await start(sites.b, 'b', WORK_B);
    await stretch([a, b]);
  });
  afterAll(() => lab.close());

  async function stretch(ends: readonly StretchEnd[], guards?: Record<string, unknown>): Promise<void> {
    version += 1;
    for (const { site, gateway, workload: at, address } of ends) {
      const base = { driver: 'overlay', vni: 10_110, subnet: '10.20.0.0/24', engine, stretch: { uplink: 'lan' } };
      const peers = site === sites.a ? { peers: ['198.51.100.2'] } : {};
      await apply(gateway, version, {
        uplinks: { lan: { interface: 'lan0' } },
        networks: { line: { ...base, ...peers, ...(guards && { guards }) } },
        workloads: { [`w${address.split('.')[3]}`]: workload(at, { line: { address } }) },
      });
    }
  }

  async function cable(state: 'up' | 'down'): Promise<void> {
    const switches = [sites.a.switch, sites.b.switch];
    for (const plant of switches) await plant.ip('link', 'set', 'cable', state);
    // The kernel tells a bridge of a carrier up to a second later.
    const wanted = `state ${state === 'up' ? 'forwarding' : 'disabled'}`;
    for (const plant of switches) {
      await until(wanted, async () =>
        (await plant.exec('bridge', 'link', 'show', 'dev', 'cable')).stdout.includes(wanted),
      );
    }
  }

  async function isCut({ site }: StretchEnd): Promise<boolean> {
    const { stdout } = await site.gateway.exec('nft', 'list', 'set', 'netdev', table, 'cut');
    return stdout.includes('elements');
  }

  /** How many of `count` broadcasts of one PLC, and of their copies, come by the other's wire. */
  async function copies(count: number): Promise<number> {
    const capture = await Capture.start(lab, sites.b.plc, 'eth0', '-Q', 'in', 'arp', 'and', 'arp[24:4] = 0x0a140063');
    const mac = parseMac('02:00:00:00:00:99');
    if (mac === undefined) throw new Error('no MAC');
    for (let n = 0; n < count; n += 1) sendFrames(sites.a.plc.path, 'eth0', [gratuitousArp(mac, '10.20.0.99')]);
    // What goes round would be here by then many times.
    await sleep(1000);
    return (await capture.stop()).match(/who-has/g)?.length ?? 0;
  }

  /** Everybody asks anew who is where: switches have learned another way, and no gateway can make them forget. */
  async function allReachAll(): Promise<void> {
    for (const at of [sites.a.plc, sites.b.plc, a.workload, b.workload]) await at.ip('neigh', 'flush', 'all');
    const everybody: readonly [Namespace, string][] = [
      [sites.a.plc, PLC_A],
      [sites.b.plc, PLC_B],
      [a.workload, WORK_A],
      [b.workload, WORK_B],
    ];
    for (const [from, own] of everybody)
      for (const [, to] of everybody)
        if (own !== to) expect([own, to, await from.reaches(to, 5)]).toEqual([own, to, true]);
  }

  test('without a second way nothing is cut, and no probe crosses', async () => {
    await until('the sites to reach each other', () => sites.a.plc.reaches(PLC_B));
    const crossing = await Capture.start(lab, sites.a.gateway, PORT[engine], ...PROBES);
    const plant = await Capture.start(lab, sites.a.plc, 'eth0', ...PROBES);
    await until('probes on the VLAN', () => (plant.text().match(/, length/g)?.length ?? 0) >= 8);
    expect(await crossing.stop()).not.toContain(', length');
    await plant.stop();
    expect(await copies(5)).toBe(5);
    for (const end of [a, b]) expect(await lineOf(end)).toMatchObject({ problem: null, guards: { loop: 'on' } });
  });

  test('a cable between the sites: cut at one end within a second, and everybody goes on reaching everybody', async () => {
    await cable('up');
    const plugged = performance.now();
    await until('it to be cut', () => isCut(b), 5000);
    expect(performance.now() - plugged).toBeLessThan(1000);
    expect(await isCut(a)).toBe(false);
    await until('it to be told', async () => (await lineOf(b)).guards?.loop === 'cut');
    await allReachAll();
    expect(await copies(20)).toBe(20);
    expect(await isCut(a)).toBe(false);
  });

  test('status, metrics and events name the other end', async () => {
    const { problem } = await until('a name', async () => {
      const line = await lineOf(b);
      return line.problem?.includes(names.a) ? line : undefined;
    });
    expect(problem).toMatch(/network line: a loop: from lan0 the VLAN of gateway \S+ is reached by a second way/);
    expect((await b.gateway.get('/metrics')).body).toMatch(/^linkspan_loop_cut\{network="line"\} 1$/m);
    expect((await a.gateway.get('/metrics')).body).toMatch(/^linkspan_loop_cut\{network="line"\} 0$/m);
    expect((await b.gateway.cli('events')).stdout.match(/warning loop\.cut: network line: a loop/g)).toHaveLength(1);
    expect((await b.gateway.cli('network', 'show', 'line')).stdout).toMatch(/loop cut/);
    expect((await lineOf(a)).problem).toBeNull();
  });

  test('it stays cut while the service at either end is killed and comes back', async () => {
    await a.gateway.kill9();
    await b.gateway.kill9();
    // Longer than a cut lasts without a probe that comes back, where the service looks for one.
    await sleep(5000);
    expect(await isCut(b)).toBe(true);
    expect(await copies(20)).toBe(20);
    for (const end of [b, a]) end.gateway = await end.start();
    await until('it to be told', async () => (await lineOf(b)).guards?.loop === 'cut');
    expect(await copies(20)).toBe(20);
    expect([await isCut(a), await isCut(b)]).toEqual([false, true]);
  });

  test('the overlay gone, the second way is the only one and is not cut; the overlay back, it is again', async () => {
    await sites.underlay('down');
    await until('the VLAN to be joined again', async () => !(await isCut(b)), 10_000);
    await b.workload.ip('neigh', 'flush', 'all');
    await until('the workload to reach its PLC', () => b.workload.reaches(PLC_B));
    expect(await sites.b.plc.reaches(PLC_A, 3)).toBe(true);
    await sites.underlay('up');
    await until('it to be cut', () => isCut(b), 10_000);
    await until('it to be told', async () => (await lineOf(b)).guards?.loop === 'cut');
    await allReachAll();
  });

  test('the cable unplugged, the VLAN is joined again by itself', async () => {
    await cable('down');
    const unplugged = performance.now();
    await until('the VLAN to be joined again', async () => !(await isCut(b)), 10_000);
    expect(performance.now() - unplugged).toBeLessThan(5000);
    await until('that to be told', async () => (await lineOf(b)).problem === null);
    await allReachAll();
    expect((await b.gateway.cli('events')).stdout).toMatch(/info +loop\.gone: network line: the second way is gone/);
  });

  test('a switch that sends back what it gets is cut off, too', async () => {
    await sites.b.switch.exec('bridge', 'link', 'set', 'dev', 'gw', 'hairpin', 'on');
    await until('it to be cut', () => isCut(b), 5000);
    expect(await isCut(a)).toBe(false);
    await sites.b.switch.exec('bridge', 'link', 'set', 'dev', 'gw', 'hairpin', 'off');
    await until('the VLAN to be joined again', async () => !(await isCut(b)), 10_000);
  });

  test('probes forged at another site cut nothing', async () => {
    const forged = await Capture.start(lab, sites.b.plc, 'eth0', '-c', '1', '-xx', ...PROBES);
    const bytes = await until('a probe', () => /0x0000:/.test(forged.text()) && forged.text());
    await forged.stop();
    const hex = [...bytes.matchAll(/^\t0x\w+: +(.*)$/gm)].map((row) => row[1]?.replaceAll(' ', '')).join('');
    const frame = Buffer.from(hex, 'hex');
    frame.writeUInt8(frame.readUInt8(18) ^ 1, 18);
    const seen = await Capture.start(lab, sites.b.gateway, PORT[engine], '-Q', 'in', ...PROBES);
    sendFrames(sites.a.plc.path, 'eth0', [frame]);
    await until('it to cross', () => seen.text().includes(', length'));
    await seen.stop();
    expect(await isCut(b)).toBe(false);
  });

  test('switched off, nothing probes and nothing is left of it', async () => {
    await stretch([a, b], { loop: 'off' });
    for (const end of [a, b]) {
      const { stdout } = await end.site.gateway.exec('nft', 'list', 'tables');
      expect(stdout).toContain(`linkspan-${PORT[engine]}`);
      expect(stdout).not.toContain('/lan0');
      expect((await lineOf(end)).guards?.loop).toBe('off');
    }
    const plant = await Capture.start(lab, sites.b.plc, 'eth0', ...PROBES);
    await sleep(1000);
    expect(await plant.stop()).not.toContain(', length');
  });

  test('where the other end is another vendor’s, who has its probe back cuts itself off', async () => {
    version += 1;
    await apply(b.gateway, version, {});
    await b.gateway.stop();
    await sites.b.gateway.batch([
      'link add sw type bridge',
      'link add foreign type vxlan id 10110 local 198.51.100.2 remote 198.51.100.1 dstport 4789',
      'link set foreign mtu 1450 master sw up',
      'link set lan0 master sw up',
      'link set sw up',
    ]);
    await stretch([a]);
    await until('the sites to reach each other', () => a.workload.reaches(PLC_B));
    await cable('up');
    await until('it to be cut', () => isCut(a), 5000);
    expect(await copies(20)).toBe(20);
    await until('it to be told', async () =>
      (await lineOf(a)).problem?.includes('from lan0 another site is reached by a second way'),
    );
  });
});
