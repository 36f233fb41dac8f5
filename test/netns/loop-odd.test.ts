import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sendFrames } from '../../src/host/packet-socket.ts';
import { gratuitousArp } from '../../src/packet/arp.ts';
import { loopProbe } from '../../src/packet/loop-probe.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Site, type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { Capture } from './support/capture.ts';
import { apply } from './support/documents.ts';
import { mac } from './support/frames.ts';
import { startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';
import { startEnd } from './support/stretch-end.ts';

const STRANGER = mac('02:00:00:00:00:99');

/** `x` for each table that has cut, `-` for one that has not. */
async function states(places: readonly (readonly [Namespace, table: string])[]): Promise<string> {
  const sets = places.map(([at, table]) => at.attempt('nft', 'list', 'set', 'netdev', `linkspan-${table}`, 'cut'));
  return (await Promise.all(sets)).map(({ stdout }) => (stdout.includes('elements') ? 'x' : '-')).join('');
}

/** All states that are seen in this time. */
async function seenFor(ms: number, look: () => Promise<string>): Promise<readonly string[]> {
  const seen = new Set<string>();
  for (const end = performance.now() + ms; performance.now() < end; await sleep(50)) seen.add(await look());
  return [...seen];
}

/** How many of `count` broadcasts from one place, and of their copies, come to the other. */
async function copies(lab: Lab, from: Namespace, to: Namespace, count: number): Promise<number> {
  const capture = await Capture.start(lab, to, 'eth0', '-Q', 'in', 'arp', 'and', 'arp[24:4] = 0x0a140063');
  for (let n = 0; n < count; n += 1) sendFrames(from.path, 'eth0', [gratuitousArp(STRANGER, '10.20.0.99')]);
  // What goes round would be here by then many times.
  await sleep(1000);
  return (await capture.stop()).match(/who-has/g)?.length ?? 0;
}

/** By a broadcast, which is flooded only to a peer that is known to answer. */
async function asks(from: Namespace, address: string): Promise<boolean> {
  await from.ip('neigh', 'flush', 'all');
  return from.reaches(address);
}

/** A gateway at each site that stretches `networks`: by uplink, the VNI. */
async function startAll(
  lab: Lab,
  sites: readonly Pick<Site, 'gateway' | 'underlay'>[],
  broker: string,
  networks: Readonly<Record<string, number>>,
): Promise<void> {
  const spec = {
    uplinks: Object.fromEntries(Object.keys(networks).map((name) => [name, { interface: name }])),
    networks: Object.fromEntries(
      Object.entries(networks).map(([uplink, vni]) => [
        `on-${uplink}`,
        { driver: 'overlay', vni, engine: 'kernel', stretch: { uplink } },
      ]),
    ),
  };
  for (const [n, site] of sites.entries()) {
    await site.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
    const name = gatewayName(`odd-${n}`);
    const whole = { ...site, workload: (label: string) => lab.namespace(`${n}-${label}`) } as Site;
    const { gateway } = await startEnd(lab, whole, { name, broker, address: '' });
    await apply(gateway, 1, spec);
  }
}

/** Lets in nothing by the cable at this site, as a broken fibre of two, or a mirror port at the other. */
async function deafen({ switch: plant }: Site): Promise<() => Promise<unknown>> {
  const chain = '{ type filter hook ingress device cable priority 0; policy drop; }';
  await plant.exec('nft', 'add table netdev deaf');
  await plant.exec('nft', `add chain netdev deaf in ${chain}`);
  return () => plant.exec('nft', 'delete table netdev deaf');
}

describe('two networks on two VLANs', () => {
  const lab = new Lab();
  let sites: Sites;

  beforeAll(async () => {
    builtService();
    sites = await twoSites(lab);
    const { broker } = await startBroker(lab, sites.a.gateway, sites.a.underlay);
    for (const { gateway, switch: plant } of [sites.a, sites.b]) {
      await lab.veth(gateway, 'lan1', plant, 'gw1');
      await lab.bridge(plant, 'br1', ['gw1']);
      await lab.veth(plant, 'cable0', plant, 'cable1');
      await plant.ip('link', 'set', 'cable1', 'master', 'br1');
    }
    await startAll(lab, [sites.a, sites.b], broker.url, { lan0: 10_110, lan1: 10_120 });
    await until('the sites to reach each other', () => sites.a.plc.reaches(sites.b.plcAddress));
  });
  afterAll(() => lab.close());

  const ports = (): Promise<string> =>
    states(
      [sites.a, sites.b].flatMap(({ gateway }) =>
        ['lan0', 'lan1'].map((name) => [gateway, `lsx-on-${name}/${name}`] as const),
      ),
    );

  test('a cable between them at one site is no loop', async () => {
    await sites.a.switch.ip('link', 'set', 'cable0', 'master', 'br0');
    expect(await seenFor(2500, ports)).toEqual(['----']);
  });

  test('at the other site too: one of the four ports is cut, and stays so', async () => {
    await sites.b.switch.ip('link', 'set', 'cable0', 'master', 'br0');
    await until('it to be cut', async () => (await ports()) === '---x', 5000);
    expect(await seenFor(4000, ports)).toEqual(['---x']);
    expect(await copies(lab, sites.a.plc, sites.b.plc, 20)).toBe(20);
  });

  test('three of ten packets of the underlay lost, it stays cut', async () => {
    const lossy = [sites.a.gateway, sites.b.gateway];
    for (const at of lossy) {
      await at.exec('nft', 'add table inet loss');
      await at.exec('nft', 'add chain inet loss in { type filter hook input priority 0; }');
      await at.exec('nft', 'add rule inet loss in udp dport 4789 numgen random mod 10 < 3 drop');
    }
    expect(await seenFor(6000, ports)).toEqual(['---x']);
    for (const at of lossy) await at.exec('nft', 'delete table inet loss');
  });

  test('its rules flushed by somebody, one is cut again', async () => {
    await sites.b.gateway.exec('nft', 'flush', 'ruleset');
    await until('one to be cut', async () => /x/.test(await ports()), 1500);
    await until('the rules to be back', async () => {
      const { stdout } = await sites.b.gateway.exec('nft', 'list', 'table', 'netdev', 'linkspan-lsx-on-lan1/lan1');
      return stdout.includes('update @cut');
    });
    // Two may have been cut at once, of which the first to be let in again carries.
    await sleep(3500);
    const last = await seenFor(3000, ports);
    expect(last).toHaveLength(1);
    expect(last[0]?.replaceAll('-', '')).toBe('x');
  });

  test('one of the cables gone, none is cut', async () => {
    await sites.a.switch.ip('link', 'set', 'cable0', 'nomaster');
    await until('it to be joined again', async () => (await ports()) === '----');
    expect(await seenFor(2000, ports)).toEqual(['----']);
  });
});

describe('a second way between two sites', () => {
  const lab = new Lab();
  let sites: Sites;

  beforeAll(async () => {
    builtService();
    sites = await twoSites(lab);
    const { broker } = await startBroker(lab, sites.a.gateway, sites.a.underlay);
    await lab.veth(sites.a.switch, 'cable', sites.b.switch, 'cable');
    for (const { switch: plant } of [sites.a, sites.b])
      await plant.batch(['link set cable down', 'link set cable master br0']);
    await startAll(lab, [sites.a, sites.b], broker.url, { lan0: 10_110 });
    await until('the sites to reach each other', () => sites.a.plc.reaches(sites.b.plcAddress));
  });
  afterAll(() => lab.close());

  const ports = (): Promise<string> =>
    states([sites.a, sites.b].map(({ gateway }) => [gateway, 'lsx-on-lan0/lan0'] as const));

  async function cable(state: 'up' | 'down'): Promise<void> {
    for (const { switch: plant } of [sites.a, sites.b]) await plant.ip('link', 'set', 'cable', state);
  }

  test.each([
    ['a', 'b', 'x-'],
    ['b', 'a', '-x'],
  ] as const)('that carries nothing towards %s is cut, and when it does carry, too', async (to, from, cut) => {
    const mend = await deafen(sites[to]);
    await cable('up');
    await until('it to be cut', async () => (await ports()) === cut, 5000);
    expect(await seenFor(3200, ports)).toEqual([cut]);
    expect(await copies(lab, sites[from].plc, sites[to].plc, 5)).toBe(0);
    expect(await copies(lab, sites[to].plc, sites[from].plc, 5)).toBe(5);
    await mend();
    expect(await seenFor(3200, ports)).toEqual([cut]);
    expect(await copies(lab, sites.a.plc, sites.b.plc, 5)).toBe(5);
    await cable('down');
    await until('it to be joined again', async () => (await ports()) === '--');
  });

  test('stays cut while somebody floods the VLAN with probes of nobody', async () => {
    await cable('up');
    await until('it to be cut', async () => (await ports()) === '-x', 5000);
    const flood = loopProbe(STRANGER, { vni: 0xff_ff_ff, gateway: 'nobody', key: Buffer.alloc(8, 1) });
    // Evenly: between bursts the limit would have something left.
    const timer = setInterval(() => sendFrames(sites.a.plc.path, 'eth0', Array<Buffer>(10).fill(flood)), 1);
    const seen = await seenFor(8000, ports);
    clearInterval(timer);
    expect(seen).toEqual(['-x']);
    expect(await copies(lab, sites.a.plc, sites.b.plc, 5)).toBe(5);
  });
});

describe('three gateways on one VLAN, a fourth at another site', () => {
  const lab = new Lab();
  type Place = { readonly gateway: Namespace; readonly underlay: string };
  let carriers: readonly Place[];
  let near: Namespace;
  let far: Namespace;

  const place = async (n: number, wan: Namespace, plant: Namespace): Promise<Place> => {
    const gateway = await lab.namespace(`gw${n}`);
    const underlay = `198.51.100.${n}`;
    await lab.veth(gateway, 'wan0', wan, `gw${n}`);
    await lab.veth(gateway, 'lan0', plant, `gw${n}`);
    await gateway.ip('address', 'add', `${underlay}/24`, 'dev', 'wan0');
    return { gateway, underlay };
  };

  const plc = async (address: string, plant: Namespace, others: readonly string[]): Promise<Namespace> => {
    const device = await lab.namespace(`plc-${plant.label}`);
    await lab.veth(plant, 'plc', device, 'eth0');
    await lab.bridge(plant, 'br0', ['plc', ...others]);
    await device.ip('address', 'add', `${address}/24`, 'dev', 'eth0');
    return device;
  };

  beforeAll(async () => {
    builtService();
    const [wan, here, there] = [await lab.namespace('wan'), await lab.namespace('near'), await lab.namespace('far')];
    carriers = [await place(1, wan, here), await place(2, wan, here), await place(3, wan, here)];
    const other = await place(4, wan, there);
    await lab.bridge(wan, 'br0', ['gw1', 'gw2', 'gw3', 'gw4']);
    near = await plc('10.20.0.10', here, ['gw1', 'gw2', 'gw3']);
    far = await plc('10.20.0.20', there, ['gw4']);
    const { broker } = await startBroker(lab, other.gateway, other.underlay);
    await startAll(lab, [...carriers, other], broker.url, { lan0: 10_110 });
  });
  afterAll(() => lab.close());

  const ports = (): Promise<string> => states(carriers.map(({ gateway }) => [gateway, 'lsx-on-lan0/lan0'] as const));

  async function carries(): Promise<void> {
    await until('the way there', () => asks(near, '10.20.0.20'));
    await until('the way back', () => asks(far, '10.20.0.10'));
    expect(await copies(lab, near, far, 20)).toBe(20);
    expect(await copies(lab, far, near, 20)).toBe(20);
    await near.ip('neigh', 'flush', 'all');
    expect(await near.reaches('10.20.0.20', 3)).toBe(true);
  }

  async function first(state: 'up' | 'down'): Promise<void> {
    await carriers[0]?.gateway.batch(['wan0', 'lan0'].map((name) => `link set ${name} ${state}`));
  }

  test('one carries', async () => {
    await until('the sites to reach each other', () => near.reaches('10.20.0.20'));
    await until('the others to be cut', async () => (await ports()) === '-xx');
    await carries();
    expect(await seenFor(1000, ports)).toEqual(['-xx']);
  });

  test('without it another does, within seconds', async () => {
    await first('down');
    const gone = performance.now();
    await until('another one to carry', async () => (await ports())[1] === '-');
    expect(performance.now() - gone).toBeLessThan(4500);
    await until('the last one to be cut', async () => (await ports()) === '--x', 5000);
    await carries();
  });

  test('once it is back, it does', async () => {
    await first('up');
    await until('the others to be cut', async () => (await ports()) === '-xx');
    await carries();
    expect(await seenFor(3500, ports)).toEqual(['-xx']);
  });
});
