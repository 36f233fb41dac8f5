import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Gateway } from '../lab/gateway.ts';
import { startGateway } from '../lab/gateway.ts';
import type { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Site, twoSites } from '../lab/sites.ts';
import { vmLab } from '../lab/vm/lab.ts';
import { until } from '../lab/wait.ts';
import { builtService } from '../netns/support/built.ts';
import { apply, applyText, documentText, type Spec, workload } from '../netns/support/documents.ts';
import { gatewayName } from '../netns/support/names.ts';

const LINK = 'lsv-lan0.110';
const UPLINKS = { lan: { interface: 'lan0' } };
const on = (vlan: number, subnet = '10.20.0.0/24'): object => ({ driver: 'macvlan', uplink: 'lan', vlan, subnet });

let lab: Lab;
let site: Site;
let gateway: Gateway;
let plc120: Namespace;
let w1: Namespace;
let w2: Namespace;
let version = 0;

/** The plant's switch knows VLANs: the gateway's port is a trunk of 110 and 120, each PLC is on an access port. */
beforeAll(async () => {
  builtService();
  lab = await vmLab();
  site = (await twoSites(lab)).a;
  plc120 = await lab.namespace('plc120');
  await lab.veth(site.switch, 'plc120', plc120, 'eth0');
  // In the other VLAN's subnet too, so that only the VLAN keeps them apart.
  await plc120.batch(['address add 10.20.0.12/24 dev eth0', 'address add 10.21.0.12/24 dev eth0']);
  await site.switch.batch([
    'link set plc120 master br0',
    'link set br0 type bridge vlan_filtering 1 vlan_default_pvid 0',
  ]);
  await site.switch.exec('bridge', 'vlan', 'add', 'vid', '110', 'dev', 'gw');
  await site.switch.exec('bridge', 'vlan', 'add', 'vid', '120', 'dev', 'gw');
  await site.switch.exec('bridge', 'vlan', 'add', 'vid', '110', 'dev', 'plc', 'pvid', 'untagged');
  await site.switch.exec('bridge', 'vlan', 'add', 'vid', '120', 'dev', 'plc120', 'pvid', 'untagged');
  [w1, w2] = [await site.workload('w1'), await site.workload('w2')];
  const mqtt = { url: 'mqtt://127.0.0.1:9' };
  const config = {
    gateway: gatewayName('v'),
    underlay: { address: site.underlay },
    mqtt,
    status: { listen: '127.0.0.1:0' },
  };
  gateway = await startGateway(lab, { namespace: site.gateway, config });
}, 120_000);
afterAll(() => lab.close());

const wish = (networks: Record<string, object>, workloads: NonNullable<Spec['workloads']>): Promise<unknown> =>
  apply(gateway, (version += 1), { uplinks: UPLINKS, networks, workloads });

async function links(): Promise<readonly string[]> {
  return (await site.gateway.ipJson<{ ifname: string }[]>('link', 'show')).map(({ ifname }) => ifname);
}

test('workloads stand on their VLANs: each reaches what is on its own, and nothing of the other', async () => {
  const workloads = {
    w1: workload(w1, { a: { address: '10.20.0.31' } }),
    w2: workload(w2, { b: { address: '10.21.0.32' } }),
  };
  await wish({ a: on(110), b: on(120, '10.21.0.0/24') }, workloads);
  expect(await w1.reaches('10.20.0.10')).toBe(true);
  expect(await w1.reaches('10.20.0.12')).toBe(false);
  expect(await w2.reaches('10.21.0.12')).toBe(true);
  expect((await gateway.status()).networks.map(({ vlan }) => vlan)).toEqual([110, 120]);
  // The gateway itself has no business on the VLAN.
  const addresses = await site.gateway.ipJson<{ addr_info: unknown[] }[]>('address', 'show', 'dev', LINK);
  expect(addresses.flatMap(({ addr_info }) => addr_info)).toEqual([]);
});

test('a network that changes its VLAN takes its workloads along, with what they set themselves', async () => {
  await w1.ip('address', 'add', '10.20.0.99/32', 'dev', 'eth0');
  await wish({ a: on(120) }, { w1: workload(w1, { a: { address: '10.20.0.31' } }) });
  expect(await w1.reaches('10.20.0.12')).toBe(true);
  expect(await w1.reaches('10.20.0.10')).toBe(false);
  expect((await w1.ip('address', 'show', 'dev', 'eth0')).stdout).toContain('10.20.0.99/32');
  expect(await links()).not.toContain(LINK);
});

test('the uplink gone and back: the VLAN link is made anew, and its workloads are back', async () => {
  await site.gateway.ip('link', 'delete', 'lan0');
  await until(
    'the network to wait',
    async () => (await gateway.status()).networks[0]?.problem?.includes('is gone') ?? false,
  );
  await lab.veth(site.gateway, 'lan0', site.switch, 'gw');
  await site.switch.ip('link', 'set', 'gw', 'master', 'br0');
  await site.switch.exec('bridge', 'vlan', 'add', 'vid', '120', 'dev', 'gw');
  await until('the workload to reach its VLAN again', () => w1.reaches('10.20.0.12'), 40_000);
});

test('a VLAN link that the host has is used and left alone; ours goes with its last network', async () => {
  await wish({}, {});
  expect((await links()).filter((name) => name.startsWith('lsv'))).toEqual([]);
  await site.switch.exec('bridge', 'vlan', 'add', 'vid', '110', 'dev', 'gw');
  await site.gateway.batch(['link add plant110 link lan0 type vlan id 110', 'link set plant110 up']);
  await wish({ a: on(110) }, { w1: workload(w1, { a: { address: '10.20.0.31' } }) });
  expect(await w1.reaches('10.20.0.10')).toBe(true);
  expect(await links()).not.toContain(LINK);
  await wish({}, {});
  expect(await links()).toContain('plant110');
});

/** A machine on a VLAN inside what comes in by one of the switch's links. */
async function behind(port: string, vlan: number, machine: Namespace, address: string): Promise<void> {
  await site.switch.batch([`link add link ${port} name eth0 netns ${machine.name} type vlan id ${vlan}`]);
  await machine.batch([`address add ${address}/24 dev eth0`, 'link set eth0 up']);
}

/** The longest packet that a MTU of 1500 takes, which nobody may cut up. */
const whole = (from: Namespace, to: string): Promise<number> =>
  from.attempt('ping', '-n', '-c', '1', '-W', '3', '-M', 'do', '-s', '1472', to).then(({ code }) => code);

test('VLANs inside a provider’s: whole packets reach what is behind both tags, by one outer link for two networks', async () => {
  // Behind the same numbers, but the outer tag 802.1Q too: only its type keeps the two apart.
  await site.switch.batch([
    'link add link gw name s20 type vlan protocol 802.1ad id 20',
    'link add link gw name q20 type vlan protocol 802.1Q id 20',
    'link set s20 up',
    'link set q20 up',
  ]);
  await behind('s20', 110, await lab.namespace('s20-110'), '10.20.0.14');
  await behind('s20', 120, await lab.namespace('s20-120'), '10.21.0.14');
  await behind('q20', 110, await lab.namespace('q20-110'), '10.20.0.15');
  const qinq = { a: { ...on(110), outerVlan: 20 }, b: { ...on(120, '10.21.0.0/24'), driver: 'ipvlan', outerVlan: 20 } };
  const first = { w1: workload(w1, { a: { address: '10.20.0.31' } }) };
  await wish(qinq, { ...first, w2: workload(w2, { b: { address: '10.21.0.32' } }) });
  expect(await whole(w1, '10.20.0.14')).toBe(0);
  expect(await whole(w2, '10.21.0.14')).toBe(0);
  expect(await w1.reaches('10.20.0.15')).toBe(false);
  expect((await links()).filter((name) => name.startsWith('ls'))).toEqual([
    'lso-lan0.20',
    'lsq-lan0.20.110',
    'lsq-lan0.20.120',
  ]);
  expect((await gateway.status()).networks).toMatchObject([
    { vlan: 110, outer_vlan: 20, mtu: 1500 },
    { vlan: 120, outer_vlan: 20, mtu: 1500 },
  ]);
  await wish({ a: qinq.a }, first);
  expect(await w1.reaches('10.20.0.14')).toBe(true);
  expect((await links()).filter((name) => name.startsWith('ls'))).toEqual(['lso-lan0.20', 'lsq-lan0.20.110']);
});

test('a VLAN on an uplink that is itself a VLAN’s link: whole packets pass, and the host’s link stays', async () => {
  await site.gateway.batch(['link add link lan0 name lan0.20 type vlan id 20', 'link set lan0.20 up']);
  const uplinks = { lan: { interface: 'lan0.20' } };
  const workloads = { w1: workload(w1, { a: { address: '10.20.0.31' } }) };
  await apply(gateway, (version += 1), { uplinks, networks: { a: on(110) }, workloads });
  expect(await whole(w1, '10.20.0.15')).toBe(0);
  expect(await w1.reaches('10.20.0.14')).toBe(false);
  await wish({}, {});
  expect((await links()).filter((name) => /^ls|^lan0/.test(name))).toEqual(['lan0', 'lan0.20']);
  await site.gateway.ip('link', 'delete', 'lan0.20');
  await site.switch.batch(['link delete s20', 'link delete q20']);
});

test('a kernel without 802.1Q is told of by the module’s name', async () => {
  await wish({}, {});
  await site.gateway.ip('link', 'delete', 'plant110');
  const forbidden = '/etc/modprobe.d/linkspan-test.conf';
  await lab.write(forbidden, 'install 8021q /bin/false\n');
  await lab.run(['modprobe', '--remove', '8021q']);
  await applyText(gateway, documentText((version += 1), { uplinks: UPLINKS, networks: { a: on(110) }, workloads: {} }));
  await until('the module’s name', async () => {
    const [network] = (await gateway.status()).networks;
    return network?.problem?.includes('this kernel has no vlan; install a kernel with the module 8021q') ?? false;
  });
  await lab.run(['rm', forbidden]);
  await until('the link once it is there', async () => (await links()).includes(LINK), 60_000);
});
