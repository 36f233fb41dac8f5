import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import type { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Site, type Sites, twoSites } from '../lab/sites.ts';
import { vmLab } from '../lab/vm/lab.ts';
import { until } from '../lab/wait.ts';
import { builtService } from '../netns/support/built.ts';
import { apply, type Spec, workload } from '../netns/support/documents.ts';
import { gatewayName } from '../netns/support/names.ts';

let lab: Lab;
let sites: Sites;
let gateway: Gateway;
let others: readonly [Namespace, Namespace];
let w: Namespace;

/** The plant's switch knows VLANs: the gateway's port is a trunk of 110 and 120, each PLC is on an access port. */
async function plant(site: Site, label: 'a' | 'b'): Promise<Namespace> {
  const plc120 = await lab.namespace(`plc120-${label}`);
  await lab.veth(site.switch, 'plc120', plc120, 'eth0');
  // In the stretched VLAN's subnet, so that only the VLAN keeps them apart.
  await plc120.ip('address', 'add', `10.20.0.${label === 'a' ? 12 : 22}/24`, 'dev', 'eth0');
  await site.switch.batch([
    'link set plc120 master br0',
    'link set br0 type bridge vlan_filtering 1 vlan_default_pvid 0',
  ]);
  const member = (...words: string[]): Promise<unknown> => site.switch.exec('bridge', 'vlan', 'add', 'vid', ...words);
  await member('110', 'dev', 'gw');
  await member('120', 'dev', 'gw');
  await member('110', 'dev', 'plc', 'pvid', 'untagged');
  await member('120', 'dev', 'plc120', 'pvid', 'untagged');
  return plc120;
}

/** At the other site another vendor's VTEP: a second service would take a minute more in the VM. */
async function foreignVtep({ gateway: at, underlay }: Site, peer: string): Promise<void> {
  await at.batch([
    'link add link lan0 name lan0.110 type vlan id 110',
    `link add vx10110 type vxlan id 10110 local ${underlay} dstport 4789`,
    'link add br110 type bridge',
    ...['lan0.110', 'vx10110'].flatMap((name) => [`link set ${name} master br110`, `link set ${name} up`]),
    'link set br110 up',
  ]);
  await at.exec('bridge', 'fdb', 'append', '00:00:00:00:00:00', 'dev', 'vx10110', 'dst', peer);
}

beforeAll(async () => {
  builtService();
  lab = await vmLab();
  sites = await twoSites(lab);
  others = [await plant(sites.a, 'a'), await plant(sites.b, 'b')];
  await foreignVtep(sites.b, sites.a.underlay);
  w = await sites.a.workload('w');
  const config = {
    gateway: gatewayName('stretch'),
    underlay: { address: sites.a.underlay },
    mqtt: { url: 'mqtt://127.0.0.1:9' },
    status: { listen: '127.0.0.1:0' },
  };
  gateway = await startGateway(lab, { namespace: sites.a.gateway, config });
}, 120_000);
afterAll(() => lab.close());

function documentOf(stretch: object): Spec {
  const line = { driver: 'overlay', vni: 10_110, subnet: '10.20.0.0/24', peers: [sites.b.underlay], ...stretch };
  return {
    uplinks: { lan: { interface: 'lan0' } },
    networks: { line },
    workloads: { w: workload(w, { line: { address: '10.20.0.31' } }) },
  };
}

test('VLAN 110 of both sites is one network, of PLCs and containers; VLAN 120 stays out', async () => {
  await apply(gateway, 1, documentOf({ stretch: { uplink: 'lan', vlan: 110 } }));
  const [a, b] = [sites.a.plc, sites.b.plc];
  await until('the PLCs to reach each other', () => a.reaches('10.20.0.20'));
  expect(await b.reaches('10.20.0.31', 3)).toBe(true);
  expect(await w.reaches('10.20.0.10', 3)).toBe(true);
  for (const plc120 of others) {
    expect(await plc120.reaches('10.20.0.31')).toBe(false);
    expect(await plc120.reaches('10.20.0.20')).toBe(false);
  }
  expect((await gateway.status()).networks).toMatchObject([{ vlan: 110, mtu: 1450, problem: null }]);
});

const problem = async (): Promise<string | null | undefined> => (await gateway.status()).networks[0]?.problem;

test('a trunk between the plants is a loop: cut where Linkspan is, and joined again once it is unplugged', async () => {
  await lab.veth(sites.a.switch, 'trunk', sites.b.switch, 'trunk');
  for (const site of [sites.a, sites.b]) {
    await site.switch.ip('link', 'set', 'trunk', 'master', 'br0');
    await site.switch.exec('bridge', 'vlan', 'add', 'vid', '110', 'dev', 'trunk');
  }
  await until('it to be cut', async () => (await problem())?.includes('a loop: from lsv-lan0.110'), 20_000);
  for (const at of [sites.a.plc, sites.b.plc, w]) await at.ip('neigh', 'flush', 'all');
  expect(await sites.a.plc.reaches('10.20.0.20', 3)).toBe(true);
  expect(await w.reaches('10.20.0.10', 3)).toBe(true);
  await sites.a.switch.ip('link', 'delete', 'trunk');
  await until('the VLAN to be joined again', async () => (await problem()) === null, 20_000);
  for (const at of [sites.a.plc, w]) await at.ip('neigh', 'flush', 'all');
  await until('the PLCs to reach each other', () => sites.a.plc.reaches('10.20.0.20'));
});

test('so are a VLAN inside a provider’s at one site, and a plain one at the other', async () => {
  await sites.a.switch.batch([
    'link add link gw name s20 type vlan protocol 802.1ad id 20',
    'link set s20 up',
    'link add link s20 name s20.110 type vlan id 110',
    'address add 10.20.0.14/24 dev s20.110',
    'link set s20.110 up',
  ]);
  await apply(gateway, 2, documentOf({ stretch: { uplink: 'lan', vlan: 110, outerVlan: 20 } }));
  await until('what is behind both tags to reach the other PLC', () => sites.a.switch.reaches('10.20.0.20'));
  expect(await w.reaches('10.20.0.14', 3)).toBe(true);
  expect(await w.reaches('10.20.0.10')).toBe(false);
  expect((await gateway.status()).networks).toMatchObject([{ vlan: 110, outer_vlan: 20, problem: null }]);
});

test('switched off, the VLAN’s link goes and the workload goes on', async () => {
  await apply(gateway, 3, documentOf({}));
  expect(await w.reaches('10.20.0.20', 3)).toBe(true);
  expect(await w.reaches('10.20.0.10')).toBe(false);
  const links = await sites.a.gateway.ipJson<{ ifname: string }[]>('link', 'show');
  expect(links.filter(({ ifname }) => /^ls[voq]-/.test(ifname))).toEqual([]);
});
