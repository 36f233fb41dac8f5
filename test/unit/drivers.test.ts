import { describe, expect, test } from '@jest/globals';
import type { HostView, NetworkSpec } from '../../src/drivers/driver.ts';
import { specify } from '../../src/drivers/registry.ts';
import { deriveMac } from '../../src/model/derived-mac.ts';
import type { BridgeNetwork } from '../../src/model/network.ts';
import type { Remote } from '../../src/model/peer.ts';
import type { Problem } from '../../src/model/problem.ts';
import { bridge, type Json, macvlan, overlay, workload } from './support/documents.ts';
import { FOREIGN } from './support/hosts.ts';
import { link, UNDERLAY } from './support/kernel.ts';
import { desired } from './support/planning.ts';
import { mac } from './support/values.ts';

const ENGINES: HostView['engines'] = {
  vxlan: true,
  preferred: 'auto',
  datapath: { socket: '/run/dp.sock', running: true },
  networks: [],
};
const HOST: HostView = { gateway: 'gw-a', links: FOREIGN, underlay: UNDERLAY, port: 4789, engines: ENGINES };

/** The driver's answer for a network `net` with a workload at each address. */
function answer(
  raw: Json,
  host: Partial<HostView> = {},
  addresses: Json[] = [],
  remotes: Remote[] = [],
): NetworkSpec | Problem {
  const wanted = addresses.map((address, n) => [`w${n}`, workload({ net: address }, `s${n}`)] as const);
  const { networks, endpoints } = desired({ net: raw }, Object.fromEntries(wanted));
  const [network] = networks;
  if (network === undefined) throw new Error('no network');
  return specify(network, endpoints, remotes, { ...HOST, ...host });
}

function specOf(...of: Parameters<typeof answer>): NetworkSpec {
  const spec = answer(...of);
  if ('code' in spec) throw new Error(spec.message);
  return spec;
}

const plant = (rest: Json = {}): Json => macvlan({ subnet: '10.20.0.0/16', subnet6: 'fd00:20::/64', ...rest });

describe('macvlan', () => {
  const AT = { address: '10.20.0.21', address6: 'fd00:20::21' };

  test.each(['bridge', 'vepa', 'private', 'passthru'])(
    'mode %s is the workloads’ mode, on the uplink itself',
    (mode) => {
      const { attachment, links, mtu } = specOf(plant({ mode }));
      expect(attachment).toEqual({ type: 'macvlan', parent: 'eth0', mode });
      expect({ links, mtu }).toEqual({ links: [], mtu: 1500 });
    },
  );

  test('in mode bridge the host reaches each workload through a shim, from its own address', () => {
    const { links, routes, shim } = specOf(plant(), {}, [AT, { address: '10.20.0.22' }]);
    expect(links).toMatchObject([
      { name: 'lss-net', kind: { type: 'macvlan', parent: 'eth0', mode: 'bridge' }, addresses: ['fd00:20::5/128'] },
    ]);
    expect(routes).toEqual([
      { to: '10.20.0.21', device: 'lss-net', source: '10.20.0.5' },
      { to: 'fd00:20::21', device: 'lss-net', source: 'fd00:20::5' },
      { to: '10.20.0.22', device: 'lss-net', source: '10.20.0.5' },
    ]);
    expect(shim).toBe('lss-net');
  });

  test.each([
    ['it is switched off', plant({ shim: false }), [AT], 'off: '],
    ['the mode forbids it', plant({ mode: 'vepa', shim: true }), [AT], 'none: mode vepa'],
    ['there is no workload', plant(), [], 'none: eth0 has no address'],
    [
      'the uplink has no address there',
      macvlan({ uplink: 'lan2', subnet: '10.20.0.0/16' }),
      [{ address: '10.20.0.9' }],
      'none: eth1',
    ],
  ])('has no shim where %s, and says so', (_, raw, at, note) => {
    const { links, routes, shim } = specOf(raw, {}, at);
    expect({ links, routes }).toEqual({ links: [], routes: [] });
    expect(shim).toMatch(new RegExp(`^${note}`));
  });

  test.each([
    [undefined, 9000],
    [1400, 1400],
    [9500, 9000],
  ])('MTU %s on an uplink of 9000 is %s', (mtu, result) => {
    const rest = mtu === undefined ? {} : { mtu };
    expect(specOf(macvlan({ uplink: 'lan2', ...rest })).mtu).toBe(result);
  });

  test.each<[string, HostView['links'], string, string]>([
    ['the uplink is gone', [], 'waiting', 'eth0 of uplink lan is gone; plug it in again'],
    ['the uplink is a bridge’s port', [link('eth0', 2, { master: 'br0' })], 'parent_busy', 'use br0 as the uplink'],
    [
      'a foreign passthru has it whole',
      [link('eth0', 2), link('vm0', 9, { kind: 'macvlan', parent: 2, data: { mode: 'passthru' } })],
      'parent_busy',
      'taken whole by vm0',
    ],
  ])('waits where %s', (_, links, code, message) => {
    const problem = answer(plant(), { links });
    expect(problem).toMatchObject({ path: '/spec/networks/net', code, message: expect.stringContaining(message) });
  });

  test('a passthru child of ours is no obstacle, nor is a foreign one elsewhere', () => {
    const ours = link('lss-x', 9, { kind: 'macvlan', parent: 2, ours: true, data: { mode: 'passthru' } });
    const elsewhere = link('vm0', 10, { kind: 'macvlan', parent: 3, data: { mode: 'passthru' } });
    expect(specOf(plant(), { links: [...FOREIGN, ours, elsewhere] }).attachment).toMatchObject({ parent: 'eth0' });
  });
});

const peer = (gateway: string, ip: string, port = 4789, ...macs: string[]): Remote => ({
  gateway,
  vtep: { ip, port },
  macs: macs.map((text) => ({ m: mac(text), ip: [], q: 0, s: 1 })),
});
const rows = (spec: NetworkSpec): string[] =>
  spec.fdb.map(({ device, row }) => `${device} ${row.mac} ${row.ip} ${row.port ?? 'default'}`);

describe('overlay', () => {
  const [ONE, TWO] = ['02:00:00:00:00:01', '02:00:00:00:00:02'];

  test.each([
    [UNDERLAY, undefined, 1450],
    [{ ...UNDERLAY, mtu: 9000 }, undefined, 8950],
    [UNDERLAY, 1300, 1300],
    [UNDERLAY, 9000, 1450],
    [{ ...UNDERLAY, address: '2001:db8::1' }, undefined, 1430],
  ])('leaves room for the tunnel: underlay %j, document %s, MTU %s', (underlay, mtu, result) => {
    const spec = specOf(overlay(5, mtu === undefined ? {} : { mtu }), { underlay });
    expect([spec.mtu, spec.links[0]?.mtu]).toEqual([result, result]);
  });

  test('has a device with its source address set, which learns only where a foreign VTEP is named', () => {
    const kind = {
      type: 'vxlan',
      vni: 5,
      local: '192.0.2.1',
      port: 4789,
      learning: false,
      gro: false,
      multicast: undefined,
    };
    const apart = specOf(overlay(5), { underlay: { ...UNDERLAY, joins: false } });
    expect(apart.links[0]?.kind).toEqual({ ...kind, gro: true });
    const spec = specOf(overlay(5));
    expect(spec.links[0]).toMatchObject({ name: 'lsx-net', alias: 'linkspan:gw-a:network/net/vxlan', kind });
    expect(spec.attachment).toEqual({ type: 'macvlan', parent: 'lsx-net', mode: 'bridge' });
    expect(specOf(overlay(5, { peers: ['203.0.113.9'] })).links[0]?.kind).toEqual({ ...kind, learning: true });
    expect(spec.engine).toEqual({ name: 'kernel', reason: 'the kernel has vxlan' });
    expect(specOf(overlay(5, { engine: 'kernel' })).engine?.reason).toBe('asked for');
  });

  test('floods to every peer and sends to each MAC’s own', () => {
    const spec = specOf(
      overlay(5, { peers: ['203.0.113.9', '192.0.2.2'] }),
      {},
      [],
      [peer('gw-b', '192.0.2.2', 4789, ONE), peer('gw-c', '192.0.2.3', 4790, TWO)],
    );
    expect(rows(spec)).toEqual([
      'lsx-net 00:00:00:00:00:00 192.0.2.2 default',
      'lsx-net 00:00:00:00:00:00 192.0.2.3 4790',
      'lsx-net 00:00:00:00:00:00 203.0.113.9 default',
      `lsx-net ${ONE} 192.0.2.2 default`,
      `lsx-net ${TWO} 192.0.2.3 4790`,
    ]);
  });

  test('with multicast leaves flooding to the group, and knows MACs and static VTEPs all the same', () => {
    const raw = overlay(5, { bum: { multicast: '239.1.1.10' }, peers: ['203.0.113.9'] });
    const spec = specOf(raw, {}, [], [peer('gw-b', '192.0.2.2', 4789, ONE)]);
    expect(spec.links[0]?.kind).toMatchObject({ multicast: { group: '239.1.1.10', device: 'eth0' } });
    expect(rows(spec)).toEqual(['lsx-net 00:00:00:00:00:00 203.0.113.9 default', `lsx-net ${ONE} 192.0.2.2 default`]);
  });

  test('leaves out peers of the other address family', () => {
    const remotes = [peer('gw-b', '192.0.2.2', 4789, ONE), peer('gw-c', '2001:db8::3', 4789, TWO)];
    const raw = overlay(5, { peers: ['203.0.113.9', '2001:db8::9'] });
    const six = { underlay: { ...UNDERLAY, address: '2001:db8::1' } };
    expect(rows(specOf(raw, {}, [], remotes)).join()).not.toContain('2001:');
    expect(rows(specOf(raw, six, [], remotes))).toHaveLength(3);
    expect(rows(specOf(raw, six, [], remotes)).join()).not.toContain(' 192.0.2.');
  });

  test('waits for an underlay, and for a VNI that another program holds', () => {
    expect(answer(overlay(5), { underlay: undefined })).toMatchObject({
      code: 'waiting',
      message: expect.stringContaining('underlay.address'),
    });
    const held = (over: object): NetworkSpec | Problem =>
      answer(overlay(5), { links: [link('flannel.5', 9, { kind: 'vxlan', data: { id: 5, port: 4789 }, ...over })] });
    expect(held({})).toMatchObject({ code: 'name_taken', message: expect.stringContaining('delete flannel.5') });
    expect(held({ ours: true })).not.toHaveProperty('code');
    expect(held({ data: { id: 5, port: 8472 } })).not.toHaveProperty('code');
  });
});

const byUser = (rest: Json = {}): Json => overlay(5, { engine: 'user', ...rest });

describe('overlay by the user engine', () => {
  const [ONE, TWO] = [mac('02:00:00:00:00:01'), mac('02:00:00:00:00:02')];

  test('has a TAP with the same MTU, whose children hand over what fits one send', () => {
    const spec = specOf(byUser({ mtu: 1400 }));
    const alias = 'linkspan:gw-a:network/net/tap';
    const common = { object: 'network/net', mtu: 1400, addresses: [] };
    expect(spec.links).toEqual([{ name: 'lsu-net', alias, kind: { type: 'tap' }, ...common }]);
    expect(spec.attachment).toEqual({ type: 'macvlan', parent: 'lsu-net', mode: 'bridge', gsoMax: 61_000 });
    expect(specOf(byUser()).mtu).toBe(1450);
    expect({ fdb: spec.fdb, engine: spec.engine }).toEqual({ fdb: [], engine: { name: 'user', reason: 'asked for' } });
  });

  test('tells the datapath each VTEP once, and learns behind the operator’s alone', () => {
    const remotes = [
      peer('gw-b', '192.0.2.2', 4789, ONE),
      peer('gw-b2', '192.0.2.2', 4789, ONE, TWO),
      peer('gw-c', '192.0.2.3', 4790),
      peer('gw-d', '2001:db8::4'),
      peer('old', UNDERLAY.address),
    ];
    const { datapath } = specOf(byUser({ peers: ['203.0.113.9', '192.0.2.1'] }), {}, [], remotes);
    expect(datapath).toEqual({
      vni: 5,
      tap: 'lsu-net',
      mtu: 1450,
      tagged: false,
      bumPps: 200,
      group: null,
      peers: [
        { vtep: { ip: '203.0.113.9', port: 4789 }, macs: [], learned: true },
        { vtep: { ip: '192.0.2.2', port: 4789 }, macs: [ONE, TWO], learned: false },
        { vtep: { ip: '192.0.2.3', port: 4790 }, macs: [], learned: false },
      ],
    });
    expect(specOf(byUser({ bum: { multicast: '239.1.1.10' } })).datapath?.group).toBe('239.1.1.10');
  });

  test('waits for the datapath, but where its TAP stands already', () => {
    const engines = { ...ENGINES, datapath: { socket: '/run/dp.sock', running: false } };
    expect(answer(byUser(), { engines })).toMatchObject({
      code: 'engine_unavailable',
      message: 'network net: the datapath service does not answer at /run/dp.sock; start linkspan-datapath',
    });
    const links = [...FOREIGN, link('lsu-net', 9, { kind: 'tun', ours: true })];
    expect(specOf(byUser(), { engines, links }).links).toHaveLength(1);
  });

  test('waits where another program’s vxlan has the port', () => {
    const other = link('flannel.7', 9, { kind: 'vxlan', data: { id: 7, port: 4789 } });
    const message = expect.stringContaining('delete flannel.7');
    expect(answer(byUser(), { links: [other] })).toMatchObject({ code: 'name_taken', message });
    for (const over of [{ up: false }, { ours: true }, { data: { id: 7, port: 8472 } }]) {
      expect(answer(byUser(), { links: [{ ...other, ...over }] })).not.toHaveProperty('code');
    }
  });

  test('is what auto means where the kernel has no vxlan; kernel waits there and says what to do', () => {
    const engines = { ...ENGINES, vxlan: false };
    expect(specOf(overlay(5), { engines }).engine).toEqual({ name: 'user', reason: 'the kernel has no vxlan' });
    const asked = answer(overlay(5, { engine: 'kernel' }), { engines });
    expect(asked).toMatchObject({
      code: 'engine_unavailable',
      message: expect.stringContaining('set "engine" to auto'),
    });
    const preferred = answer(overlay(5), { engines: { ...engines, preferred: 'kernel' } });
    expect(preferred).toMatchObject({ message: expect.stringContaining('set datapath.engine to auto') });
  });
});

describe('bridge', () => {
  test('is its workloads’ router, and masquerades what leaves', () => {
    const spec = specOf(bridge('172.30.0.0/24', { subnet6: 'fd00:30::/64' }));
    expect(spec.links).toMatchObject([
      {
        name: 'lsb-net',
        kind: { type: 'bridge', mac: deriveMac('net', 'the router') },
        addresses: ['172.30.0.1/24', 'fd00:30::1/64'],
        mtu: 1500,
      },
    ]);
    expect(spec.attachment).toEqual({ type: 'veth', bridge: 'lsb-net' });
    expect(spec.gateways).toEqual(['172.30.0.1', 'fd00:30::1']);
    const subnets = [
      { family: 4, address: '172.30.0.0', length: 24 },
      { family: 6, address: 'fd00:30::', length: 64 },
    ];
    const open = { bridge: 'lsb-net', subnets, masquerade: true, icc: true, internal: false };
    expect(spec.nat).toEqual(open);
  });

  test('an IPv6 router has the length of its own subnet', () => {
    const { links, gateways } = specOf(bridge('fd00:30::/64'));
    expect(links[0]?.addresses).toEqual(['fd00:30::1/64']);
    expect(gateways).toEqual(['fd00:30::1']);
  });

  test('is a router in each of its subnets', () => {
    const network = desired({ net: bridge('172.30.0.0/24', { subnet6: 'fd00:30::/64' }) }).networks[0] as BridgeNetwork;
    const second = { family: 4, address: '172.31.0.0', length: 16 } as const;
    const both: BridgeNetwork = {
      ...network,
      subnets: [...network.subnets, second],
      gateways: [...network.gateways, '172.31.0.1'],
    };
    const { links, nat } = specify(both, [], [], HOST) as NetworkSpec;
    expect(links[0]?.addresses).toEqual(['172.30.0.1/24', 'fd00:30::1/64', '172.31.0.1/16']);
    expect(nat?.subnets).toEqual(both.subnets);
  });

  test('that is internal has no way out, and one that is not masqueraded keeps its addresses', () => {
    const { gateways, nat, links } = specOf(bridge('172.30.0.0/24', { internal: true }));
    expect({ gateways, nat, addresses: links[0]?.addresses }).toMatchObject({
      gateways: [],
      nat: { internal: true, masquerade: false },
      addresses: ['172.30.0.1/24'],
    });
    expect(specOf(bridge('172.30.0.0/24', { masquerade: false, icc: false })).nat).toMatchObject({
      internal: false,
      masquerade: false,
      icc: false,
    });
  });

  test('takes its MTU from the document, the underlay, or Ethernet', () => {
    expect(specOf(bridge('172.30.0.0/24', { mtu: 1300 })).mtu).toBe(1300);
    expect(specOf(bridge('172.30.0.0/24'), { underlay: { ...UNDERLAY, mtu: 9000 } }).mtu).toBe(9000);
    expect(specOf(bridge('172.30.0.0/24'), { underlay: undefined }).mtu).toBe(1500);
    // The loopback's, which no bridge takes.
    expect(specOf(bridge('172.30.0.0/24'), { underlay: { ...UNDERLAY, mtu: 65_536 } }).mtu).toBe(65_535);
  });
});
