import { describe, expect, test } from '@jest/globals';
import type { ObservedLink } from '../../src/host/links.ts';
import type { DesiredState } from '../../src/model/network.ts';
import { LEARNED_MAX } from '../../src/reconcile/plain-switch.ts';
import type { RemotesByVni } from '../../src/model/peer.ts';
import { type Json, macvlan, overlay, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import { type Kernel, link } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';
import { mac, vni } from './support/values.ts';

const VLAN = 'lsv-eth1.110';
const [BRIDGE, PLC, ROBOT] = ['lsb-net', '02:00:00:00:00:0a', '02:00:00:00:00:0b'];
const STRETCH = { stretch: { uplink: 'lan2', vlan: 110 } };
const UNTAGGED = { stretch: { uplink: 'lan2' } };

function wish(rest: Json = {}): DesiredState {
  const networks = { net: overlay(10_110, { subnet: '10.110.0.0/24', ...rest }) };
  return desired(networks, { w: workload({ net: { address: '10.110.0.21', mac: '02:00:00:00:00:21' } }, 's1') });
}

const peer = (...macs: string[]): RemotesByVni => {
  const entries = macs.map((text) => ({ m: mac(text), ip: [], q: 0, s: 0 as const }));
  const remote = { gateway: 'gw-b', vtep: { ip: '192.0.2.2', port: 4789 }, macs: entries };
  return new Map([[vni(10_110), [remote]]]);
};

const hex = (byte: number): string => byte.toString(16).padStart(2, '0');
const masterOf = (kernel: Kernel, name: string): string | undefined =>
  kernel.links.find((one) => one.name === name)?.master;
const entriesOf = (kernel: Kernel): readonly string[] =>
  (kernel.observe().bridges.get(BRIDGE) ?? []).map(({ mac: address, port, origin }) => `${address} ${port} ${origin}`);

describe.each([
  ['kernel', 'lsx-net'],
  ['user', 'lsu-net'],
])('an overlay stretched to a VLAN, engine %s', (engine, port) => {
  test('is a bridge of both, on which the workloads hang; its ports take what the VLAN takes', () => {
    const kernel = newHost([link('eth9', 9)]);
    const { intent } = converge(kernel, wish({ ...STRETCH, engine }));
    expect([masterOf(kernel, port), masterOf(kernel, VLAN)]).toEqual([BRIDGE, BRIDGE]);
    expect(intent.networks.get('net')).toMatchObject({ mtu: 1450, attachment: { parent: BRIDGE, mode: 'bridge' } });
    // eth1 takes 9000.
    const mtus = kernel.links.filter(({ name }) => [BRIDGE, port, VLAN].includes(name)).map(({ mtu }) => mtu);
    expect(mtus).toEqual([9000, 9000, 9000]);
    const told = intent.networks.get('net')?.datapath;
    expect(told?.mtu).toBe(engine === 'user' ? 1450 : undefined);
  });

  test('switched on and off, workloads move, and no port is one while anything hangs on it', () => {
    const kernel = newHost();
    converge(kernel, wish({ engine }));
    const on = look(kernel, wish({ ...STRETCH, engine }));
    expect(on.steps).toContainEqual(expect.objectContaining({ kind: 'endpoint.move', from: port }));
    converge(kernel, wish({ ...STRETCH, engine }));
    expect(masterOf(kernel, port)).toBe(BRIDGE);
    const off = look(kernel, wish({ engine })).steps.map(({ kind }) => kind);
    expect(off.indexOf('link.adjust')).toBeLessThan(off.indexOf('endpoint.move'));
    converge(kernel, wish({ engine }));
    expect(kernel.links.map(({ name }) => name)).not.toContain(BRIDGE);
    expect(masterOf(kernel, port)).toBeUndefined();
  });

  test('workloads’ and peers’ MACs are told to the bridge, and taken away with them', () => {
    const kernel = newHost();
    converge(kernel, wish({ ...STRETCH, engine }), peer(PLC));
    expect(entriesOf(kernel)).toEqual([`02:00:00:00:00:21 ${BRIDGE} own`, `${PLC} ${port} told`]);
    converge(kernel, wish({ ...STRETCH, engine }), peer());
    expect(entriesOf(kernel)).toEqual([`02:00:00:00:00:21 ${BRIDGE} own`]);
  });
});

test('the way to the plant is an object of its own: what is refused there holds up nothing else', () => {
  const steps = look(newHost(), wish(STRETCH)).steps.filter(({ object }) => object === 'network/net/plant');
  expect(steps).toMatchObject([
    { kind: 'link.create', link: { name: VLAN } },
    { kind: 'link.adjust', name: VLAN },
  ]);
});

test('a peer that says it has the MAC of the bridge or a port of it is not believed', () => {
  const kernel = newHost();
  converge(kernel, wish(STRETCH));
  const own = kernel.links.find(({ name }) => name === BRIDGE)?.mac ?? '';
  converge(kernel, wish(STRETCH), peer(PLC, own));
  expect(entriesOf(kernel)).toEqual([`02:00:00:00:00:21 ${BRIDGE} own`, `${PLC} lsx-net told`]);
});

test('where a macvlan network that no document names has workloads on the VLAN, that is said until they are gone', () => {
  const kernel = newHost();
  const before = desired(
    { plant: macvlan({ uplink: 'lan2', vlan: 110, subnet: '10.110.0.0/24', shim: false }) },
    { d: workload({ plant: { address: '10.110.0.99' } }, 's2') },
  );
  converge(kernel, before);
  const line = wish(STRETCH);
  const both = { ...line, networks: [...line.networks, ...before.networks] };
  const { waiting } = converge(kernel, { ...both, endpoints: [...line.endpoints, ...before.endpoints] });
  expect(waiting.get('network/net')).toMatchObject({
    code: 'parent_busy',
    message: expect.stringContaining(`${VLAN} has workload d of network plant on it`),
  });
  expect(masterOf(kernel, VLAN)).toBeUndefined();
  expect(converge(kernel, { ...both, endpoints: line.endpoints }).waiting.has('network/net')).toBe(false);
  expect(masterOf(kernel, VLAN)).toBe(BRIDGE);
});

test('what somebody changes of the bridge is mended, and so is a bridge that was another network’s', () => {
  const kernel = newHost();
  const plain = { stp_state: 0, group_fwd_mask: 0, mcast_snooping: 0, vlan_filtering: 0, ageing_time: 30_000 };
  converge(kernel, desired({ net: { driver: 'bridge', subnet: '172.30.0.0/24' } }));
  converge(kernel, wish(STRETCH));
  const dataOf = (): unknown => kernel.links.find(({ name }) => name === BRIDGE)?.data;
  expect(dataOf()).toEqual({ mcast_snooping: 0 });
  const [stp_state, limit] = [1, { fdb_max_learned: 0 }];
  kernel.tamper(undefined, BRIDGE, { data: { ...plain, stp_state, vlan_filtering: 1, ...limit } });
  converge(kernel, wish(STRETCH));
  expect(dataOf()).toEqual({ ...plain, fdb_max_learned: LEARNED_MAX });
});

test('a bridge that has no limit of its own learns no more above it, and again once it has forgotten half', () => {
  const kernel = newHost();
  const learns = (): unknown => kernel.links.filter(({ master }) => master === BRIDGE).map((one) => one.learns);
  const fill = (count: number): void => {
    kernel.bridges.forget(BRIDGE);
    for (let n = 0; n < count; n += 1) kernel.bridges.learn(BRIDGE, `06:00:00:00:${hex(n >> 8)}:${hex(n & 255)}`, VLAN);
    converge(kernel, wish(STRETCH));
  };
  converge(kernel, wish(STRETCH));
  for (const [count, outcome] of [
    [LEARNED_MAX, true],
    [LEARNED_MAX + 1, false],
    [LEARNED_MAX / 2 + 1, false],
    [LEARNED_MAX / 2, true],
  ] as const) {
    fill(count);
    expect([count, learns()]).toEqual([count, [outcome, outcome]]);
  }
  kernel.tamper(undefined, BRIDGE, { data: { fdb_max_learned: LEARNED_MAX } });
  fill(LEARNED_MAX + 1);
  expect(learns()).toEqual([true, true]);
});

test('a network that is stretched and given another engine at once keeps its workloads’ interfaces', () => {
  const kernel = newHost();
  converge(kernel, wish({ engine: 'kernel' }));
  converge(kernel, wish({ ...STRETCH, engine: 'user' }));
  expect(masterOf(kernel, 'lsu-net')).toBe(BRIDGE);
  converge(kernel, wish({ engine: 'kernel' }));
  expect(kernel.links.map(({ name }) => name)).not.toContain('lsu-net');
});

test('a network that is stretched and given another VNI at once keeps its workloads’ interfaces', () => {
  const kernel = newHost();
  converge(kernel, wish());
  const index = (): number | undefined => kernel.observe().sandboxes.get('/run/netns/s1')?.links.at(-1)?.index;
  const before = index();
  const { steps } = look(kernel, wish({ ...STRETCH, vni: 10_111 }));
  expect(steps.map(({ kind }) => kind)).not.toContain('endpoint.detach');
  converge(kernel, wish({ ...STRETCH, vni: 10_111 }));
  expect(masterOf(kernel, 'lsx-net')).toBe(BRIDGE);
  expect(index()).not.toBe(before);
});

test('a device that has just come is not sent to the peer that had it; one that was published here is', () => {
  const kernel = newHost();
  const state = wish(STRETCH);
  converge(kernel, state, peer(ROBOT));
  kernel.bridges.learn(BRIDGE, ROBOT, VLAN);
  expect(look(kernel, state, peer(ROBOT)).steps).toEqual([]);
  kernel.devices = new Map([[vni(10_110), [mac(ROBOT)]]]);
  converge(kernel, state, peer(ROBOT));
  expect(entriesOf(kernel)).toContain(`${ROBOT} lsx-net told`);
});

test('another site’s workload stays where it is, whoever sends in its name here', () => {
  const kernel = newHost();
  const [remote] = peer(ROBOT).get(vni(10_110)) ?? [];
  const sticky = { m: mac(ROBOT), ip: [], q: 0, s: 1 as const };
  const peers: RemotesByVni = new Map([[vni(10_110), remote ? [{ ...remote, macs: [sticky] }] : []]]);
  converge(kernel, wish(STRETCH), peers);
  expect(kernel.observe().bridges.get(BRIDGE)).toContainEqual({
    mac: ROBOT,
    port: 'lsx-net',
    origin: 'told',
    sticky: true,
  });
  kernel.bridges.learn(BRIDGE, ROBOT, VLAN);
  converge(kernel, wish(STRETCH), peers);
  expect(entriesOf(kernel)).toContain(`${ROBOT} lsx-net told`);
});

test('too large for a group’s device: a stretch with multicast takes what the overlay takes', () => {
  const kernel = newHost();
  converge(kernel, wish({ ...STRETCH, bum: { multicast: '239.1.1.10' } }));
  expect(kernel.links.find(({ name }) => name === 'lsx-net')?.mtu).toBe(1450);
});

test.each<[string, Partial<ObservedLink> | undefined, readonly ObservedLink[], string]>([
  ['has an address', {}, [], "eth1 has this gateway's address 10.30.0.5/16"],
  ['is another bridge’s port', { addresses: [], master: 'docker0' }, [], 'eth1 is a port of docker0'],
  [
    'has a child of the host’s',
    { addresses: [] },
    [link('plant0', 20, { kind: 'macvlan', parent: 3, data: { mode: 'bridge' } })],
    'eth1 has plant0 on it',
  ],
  ['is gone', undefined, [], 'interface eth1 of uplink lan2 is gone'],
])('an uplink that %s is not joined and said, and the overlay goes on without', (_, over, extra, words) => {
  const kernel = newHost(extra);
  if (over === undefined) kernel.links = kernel.links.filter(({ name }) => name !== 'eth1');
  else kernel.tamper(undefined, 'eth1', over);
  const { waiting } = converge(kernel, wish(UNTAGGED));
  expect(waiting.get('network/net')?.message).toContain(words);
  expect(masterOf(kernel, 'lsx-net')).toBe(BRIDGE);
  expect(masterOf(kernel, 'eth1')).toBe(over?.master);
});

test('untagged frames: the uplink itself is the port, and is let go again', () => {
  const kernel = newHost();
  kernel.tamper(undefined, 'eth1', { addresses: [] });
  converge(kernel, wish(UNTAGGED));
  expect(masterOf(kernel, 'eth1')).toBe(BRIDGE);
  converge(kernel, wish());
  expect(masterOf(kernel, 'eth1')).toBeUndefined();
});

test('TCP is told what the overlay takes, both ways, and no tag goes into it', () => {
  const rules = converge(newHost(), wish(STRETCH)).intent.nat.tables.bridge;
  expect(rules).toContain('oifname "lsx-net" ether type { 8021q, 8021ad } drop');
  for (const way of ['iifname', 'oifname']) {
    for (const [type, most] of [
      ['ip', 1410],
      ['ip6', 1390],
    ]) {
      const clamp = `tcp option maxseg size > ${most} tcp option maxseg size set ${most}`;
      expect(rules).toContain(`${way} "lsx-net" ether type ${type} tcp flags & syn == syn ${clamp}`);
    }
  }
});

test('beside Docker and a bridge network of ours, what a stretched bridge carries is let pass', () => {
  const kernel = newHost();
  kernel.dockers = { 4: { rules: [], bridges: new Set() }, 6: undefined };
  expect(converge(kernel, wish(STRETCH)).intent.nat.docker[4]).toEqual(['-o lsb-+']);
  const cell = desired({ net: overlay(7, STRETCH), cell: { driver: 'bridge', subnet: '172.30.0.0/24' } });
  const { inet } = converge(kernel, cell).intent.nat.tables;
  expect(inet).toContain('iifname . oifname { "docker0" . "docker0", "lsb-net" . "lsb-net" } accept');
});
