import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DatapathState } from '../../src/datapath/state.ts';
import { addChild, addTap, type Datapath, oneNetwork, startDatapath } from '../lab/datapath.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { OVS_PORT, startOpenVswitch } from '../lab/ovs.ts';
import { joinUnderlay } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { Capture } from './support/capture.ts';
import { sendHashed } from './support/transfer.ts';

type End = { gateway: Namespace; workload: Namespace; ip: string; six: string; mac: string };

const PORT = 4789;
const VNI = 10_110;
const MTU = 1450;

let lab: Lab;
let ends: { a: End; b: End };

beforeEach(async () => {
  builtService();
  lab = new Lab();
  const [a, b] = [await lab.namespace('dp-a'), await lab.namespace('dp-b')];
  const [wa, wb] = [await lab.namespace('dp-wa'), await lab.namespace('dp-wb')];
  await joinUnderlay(lab, a, b, 1500);
  for (const [index, namespace] of [a, b].entries()) {
    await namespace.ip('address', 'add', `2001:db8::${index + 1}/64`, 'dev', 'wan0', 'nodad');
  }
  ends = {
    a: { gateway: a, workload: wa, ip: '198.51.100.1', six: '2001:db8::1', mac: '02:00:00:00:00:11' },
    b: { gateway: b, workload: wb, ip: '198.51.100.2', six: '2001:db8::2', mac: '02:00:00:00:00:21' },
  };
});
afterEach(() => lab.close());

const addressesOf = (index: 1 | 2): readonly string[] => [`10.110.0.${index}/24`, `fd00:110::${index}/64`];

/** An end with the user engine; the other end is known by its MAC, or learned from. */
async function userEnd(
  own: End,
  other: End,
  index: 1 | 2,
  options: {
    readonly six?: boolean;
    readonly learned?: boolean;
    readonly workers?: 'one' | 'two';
    readonly ioUring?: boolean;
  } = {},
): Promise<{ datapath: Datapath; state: DatapathState }> {
  await addTap(own.gateway, 'tap0', MTU);
  const datapath = await startDatapath(lab, own.gateway, options);
  const [ip, peer] = options.six ? [own.six, other.six] : [own.ip, other.ip];
  const macs = options.learned ? [] : [other.mac];
  const network = oneNetwork(
    VNI,
    'tap0',
    { ip: peer, port: PORT, macs, learned: options.learned ?? false },
    options.six ? { mtu: MTU - 20 } : {},
  );
  const state: DatapathState = { v: 1, vtep: { ip, port: PORT }, networks: [network] };
  await datapath.set(state);
  const mtu = options.six ? MTU - 20 : MTU;
  await addChild(own.gateway, 'tap0', own.workload, { mac: own.mac, addresses: addressesOf(index), mtu });
  return { datapath, state };
}

/** An end with the kernel's own vxlan device, which knows nothing of the other but its VTEP. */
async function kernelEnd(own: End, other: End, index: 1 | 2): Promise<void> {
  // A veth claims to offload what is inside a tunnel, and hands packets over with checksums that nobody finished.
  await own.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
  await own.gateway.batch([
    `link add vx0 type vxlan id ${VNI} local ${own.ip} dstport ${PORT}`,
    `link set vx0 mtu ${MTU} up`,
  ]);
  await own.gateway.exec('bridge', 'fdb', 'append', '00:00:00:00:00:00', 'dev', 'vx0', 'dst', other.ip);
  await addChild(own.gateway, 'vx0', own.workload, { mac: own.mac, addresses: addressesOf(index), mtu: MTU });
}

/** Both ways, both families, small and MTU-sized packets, TCP and UDP, and every byte of TCP arrives as it was sent. */
async function expectTraffic(mtu = MTU): Promise<void> {
  const { a, b } = ends;
  for (const [from, target] of [
    [a.workload, '10.110.0.2'],
    [b.workload, '10.110.0.1'],
    [a.workload, 'fd00:110::2'],
    [b.workload, 'fd00:110::1'],
  ] as const) {
    await until(`${target} to answer ${from.name}`, () => from.reaches(target));
    const header = target.includes(':') ? 48 : 28;
    await from.exec('ping', '-c', '3', '-i', '0.05', '-W', '1', '-M', 'do', '-s', String(mtu - header), target);
  }
  for (const [from, to, address] of [
    [a.workload, b.workload, '10.110.0.2'],
    [b.workload, a.workload, '10.110.0.1'],
    [a.workload, b.workload, 'fd00:110::2'],
    [b.workload, a.workload, 'fd00:110::1'],
  ] as const) {
    for (const protocol of ['tcp', 'udp'] as const) {
      const { sent, received } = await sendHashed(lab, { from, to, address, protocol, bytes: 8 << 20, mtu });
      expect({ address, protocol, received }).toEqual({ address, protocol, received: sent });
    }
  }
}

describe.each(['one', 'two'] as const)('with %s worker thread(s) at both ends', (workers) => {
  test.each([
    ['IPv4', false],
    ['IPv6', true],
  ])('everything passes over an %s underlay', async (_, six) => {
    const { datapath } = await userEnd(ends.a, ends.b, 1, { workers, six });
    await userEnd(ends.b, ends.a, 2, { workers, six });
    await expectTraffic(six ? MTU - 20 : MTU);
    const { counters, networks, batching } = await datapath.status();
    expect(batching).toBe('io_uring');
    expect(networks).toMatchObject([{ ok: true, problem: null }]);
    expect(counters.received_frames).toBeGreaterThan(10_000);
    // Super-frames both ways, or the engine works but crawls.
    expect(counters.received_frames / counters.tap_writes).toBeGreaterThan(2);
    expect(counters.sent_frames / counters.sent_messages).toBeGreaterThan(2);
    expect(counters.drops).toMatchObject({
      bad_checksum: 0,
      malformed: 0,
      too_big: 0,
      unknown_source: 0,
      host_error: 0,
    });
  });
});

test('everything passes where io_uring is forbidden, and it is told', async () => {
  const { datapath } = await userEnd(ends.a, ends.b, 1, { ioUring: false });
  await userEnd(ends.b, ends.a, 2);
  await expectTraffic();
  expect((await datapath.status()).batching).toBe('none');
});

test("the kernel's vxlan at the other end, learned from its frames", async () => {
  await userEnd(ends.a, ends.b, 1, { learned: true });
  await kernelEnd(ends.b, ends.a, 2);
  await expectTraffic();
});

test('Open vSwitch at the other end, learned from its frames', async () => {
  const { a, b } = ends;
  await userEnd(a, b, 1, { learned: true });
  // A veth leaves the outer checksum to a card that is not there, and the switch reads packets from the port as they are.
  await a.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
  await startOpenVswitch(lab, { gateway: b.gateway, underlay: b.ip, peerUnderlay: a.ip, vni: VNI });
  await addChild(b.gateway, OVS_PORT, b.workload, { mac: b.mac, addresses: addressesOf(2), mtu: MTU });
  await expectTraffic();
});

test.each([
  ['IPv4', false, '239.1.1.10'],
  ['IPv6', true, 'ff05::110'],
])('broadcast over an %s group of the underlay', async (_, six, group) => {
  for (const [own, other, index] of [
    [ends.a, ends.b, 1],
    [ends.b, ends.a, 2],
  ] as const) {
    const { datapath, state } = await userEnd(own, other, index, { six });
    const networks = state.networks.map((network) => Object.assign({}, network, { group }));
    await datapath.set({ ...state, networks });
    expect((await datapath.status()).underlay).toMatchObject({ ok: true, problem: null });
  }
  const groups = await Capture.start(lab, ends.b.gateway, 'wan0', `dst ${group}`);
  await until('the ends to reach each other', () => ends.a.workload.reaches('10.110.0.2'));
  expect(await groups.stop()).toContain('who-has 10.110.0.2');
});

const indexOf = async (namespace: Namespace, name: string): Promise<number> =>
  (await namespace.ipJson<{ ifindex: number }[]>('link', 'show', name))[0]?.ifindex ?? 0;

test.each([
  ['IPv4', false, '239.1.1.10'],
  ['IPv6', true, 'ff05::110'],
])('an %s group is joined anew where the underlay’s address moved to', async (_, six, group) => {
  const { a, b } = ends;
  await lab.veth(a.gateway, 'wan1', b.gateway, 'wan1');
  const tellAll: (() => Promise<void>)[] = [];
  for (const [own, other, index] of [
    [a, b, 1],
    [b, a, 2],
  ] as const) {
    const { datapath, state } = await userEnd(own, other, index, { six });
    const networks = state.networks.map((network) => Object.assign({}, network, { group }));
    const tell = async (name: string): Promise<void> => {
      const vtep = { ...state.vtep, ifindex: await indexOf(own.gateway, name) };
      await datapath.set({ ...state, vtep, networks });
      expect((await datapath.status()).underlay).toMatchObject({ ok: true, problem: null });
    };
    await tell('wan0');
    tellAll.push(() => tell('wan1'));
  }
  await until('the ends to reach each other', () => a.workload.reaches('10.110.0.2'));
  const length = six ? 64 : 24;
  for (const { gateway, ip, six: address6 } of [a, b]) {
    const address = `${six ? address6 : ip}/${length}`;
    await gateway.batch([
      `address del ${address} dev wan0`,
      `address add ${address} dev wan1${six ? ' nodad' : ''}`,
      'link set wan0 down',
    ]);
  }
  for (const tell of tellAll) await tell();
  await a.workload.ip('neighbour', 'flush', 'all');
  const groups = await Capture.start(lab, b.gateway, 'wan1', `dst ${group}`);
  await until('the ends to reach each other again', () => a.workload.reaches('10.110.0.2'));
  expect(await groups.stop()).toContain('who-has 10.110.0.2');
});

/** As a plain Ethernet port has it: packets of at most the MTU on the wire. */
async function likeWire(gateway: Namespace, gro: 'on' | 'off' = 'on'): Promise<void> {
  await gateway.exec('ethtool', '-K', 'wan0', 'tx-udp-segmentation', 'off', 'tso', 'off', 'gro', gro);
}

test('no outer packet is larger than the underlay’s MTU, and none may be fragmented', async () => {
  await userEnd(ends.a, ends.b, 1);
  await userEnd(ends.b, ends.a, 2);
  // A capture sees what was joined already, so nothing is joined here.
  for (const { gateway } of [ends.a, ends.b]) await likeWire(gateway, 'off');
  const { gateway } = ends.b;
  const all = await Capture.start(lab, gateway, 'wan0', 'udp port 4789 and ip[2:2] = 1500');
  const wrong = await Capture.start(lab, gateway, 'wan0', 'udp port 4789 and (ip[2:2] > 1500 or ip[6] & 0x40 = 0)');
  await expectTraffic();
  expect((await all.stop()).split('\n').filter((line) => line.includes('VXLAN')).length).toBeGreaterThan(100);
  expect((await wrong.stop()).split('\n').filter((line) => line.includes('.4789'))).toEqual([]);
});

/** Puts a router with a narrower link behind it between the ends, which then are in networks of their own. */
async function routeThrough(mtu: number): Promise<void> {
  const { a, b } = ends;
  const router = await lab.namespace('dp-r');
  await lab.veth(a.gateway, 'wan1', router, 'to-a');
  await lab.veth(b.gateway, 'wan1', router, 'to-b');
  await router.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  await router.batch([
    'address add 192.0.2.1/30 dev to-a',
    'address add 192.0.2.5/30 dev to-b',
    `link set to-b mtu ${mtu}`,
  ]);
  await a.gateway.batch(['address add 192.0.2.2/30 dev wan1', 'route add 192.0.2.4/30 via 192.0.2.1']);
  await b.gateway.batch(['address add 192.0.2.6/30 dev wan1', 'route add 192.0.2.0/30 via 192.0.2.5']);
  a.ip = '192.0.2.2';
  b.ip = '192.0.2.6';
}

test('a way that passes less than the network is told, and TCP keeps to it both ways', async () => {
  await routeThrough(1400);
  const { datapath } = await userEnd(ends.a, ends.b, 1);
  await userEnd(ends.b, ends.a, 2);
  const { a, b } = ends;
  await until('the ends to reach each other', () => a.workload.reaches('10.110.0.2'));
  expect((await datapath.status()).paths).toEqual([]);
  await until('a packet too big to be found out', async () => {
    await a.workload.exec('ping', '-c', '1', '-W', '1', '-s', '1400', '10.110.0.2').catch(() => undefined);
    return (await datapath.status()).paths.length > 0;
  });
  expect((await datapath.status()).paths).toEqual([{ ip: b.ip, mtu: 1350 }]);
  expect((await datapath.status()).counters.drops.too_big).toBeGreaterThan(0);
  // The far end knows nothing of it: its word on how much it takes is told down on the way in.
  for (const [from, to, address] of [
    [a.workload, b.workload, '10.110.0.2'],
    [b.workload, a.workload, '10.110.0.1'],
  ] as const) {
    const { sent, received } = await sendHashed(lab, { from, to, address, protocol: 'tcp', bytes: 4 << 20, mtu: MTU });
    expect(received).toBe(sent);
  }
});

test('a lossy underlay never corrupts what arrives', async () => {
  await userEnd(ends.a, ends.b, 1);
  await userEnd(ends.b, ends.a, 2);
  const { a, b } = ends;
  await until('the ends to reach each other', () => a.workload.reaches('10.110.0.2'));
  for (const { gateway } of [a, b]) {
    await gateway.exec('nft', 'add table netdev lossy');
    await gateway.exec('nft', 'add chain netdev lossy in { type filter hook ingress device wan0 priority 0; }');
    await gateway.exec('nft', 'add rule netdev lossy in udp dport 4789 numgen random mod 100 < 1 drop');
    await likeWire(gateway);
  }
  for (const [from, to, address] of [
    [a.workload, b.workload, '10.110.0.2'],
    [b.workload, a.workload, 'fd00:110::1'],
  ] as const) {
    const { sent, received } = await sendHashed(lab, { from, to, address, protocol: 'tcp', bytes: 8 << 20, mtu: MTU });
    expect(received).toBe(sent);
  }
});

test('killed, it goes on by itself where it was: the interface stands, the state is remembered', async () => {
  const { datapath, state } = await userEnd(ends.a, ends.b, 1);
  await userEnd(ends.b, ends.a, 2);
  await until('the ends to reach each other', () => ends.a.workload.reaches('10.110.0.2'));
  await datapath.process.kill9();
  const again = await startDatapath(lab, ends.a.gateway, { dir: datapath.dir });
  expect((await again.status()).state).toContain(`"vni":${state.networks[0]?.vni ?? 0}`);
  await until('the ends to reach each other again', () => ends.a.workload.reaches('10.110.0.2'));
});

test('a TAP that goes away is told, and taken up again when it is back', async () => {
  const { datapath } = await userEnd(ends.a, ends.b, 1);
  await ends.a.gateway.ip('link', 'delete', 'tap0');
  await until('it to be told', async () => (await datapath.status()).networks[0]?.ok === false);
  expect((await datapath.status()).networks[0]?.problem).toContain('tap0');
  await addTap(ends.a.gateway, 'tap0', MTU);
  await until('it to be opened again', async () => (await datapath.status()).networks[0]?.ok === true);
});

test('an underlay address that is not there yet is waited for', async () => {
  const { datapath, state } = await userEnd(ends.a, ends.b, 1);
  await datapath.set({ ...state, vtep: { ip: '198.51.100.77', port: PORT } });
  expect((await datapath.status()).underlay).toMatchObject({ ok: false });
  await ends.a.gateway.ip('address', 'add', '198.51.100.77/24', 'dev', 'wan0');
  await until('it to be used', async () => (await datapath.status()).underlay.ok);
});

test('strangers, other networks and nonsense are dropped, each counted by its reason', async () => {
  const { datapath, state } = await userEnd(ends.a, ends.b, 1);
  const { b } = ends;
  const reached = async (reason: string, count: number): Promise<void> => {
    await until(`${count} dropped as ${reason}`, async () => {
      const { drops } = (await datapath.status()).counters;
      return (drops as Record<string, number>)[reason] === count;
    });
  };
  const packet = join(await lab.folder(), 'packet');
  const send = async (hex: string): Promise<void> => {
    await writeFile(packet, Buffer.from(hex, 'hex'));
    await b.gateway.exec('socat', '-u', `OPEN:${packet}`, 'UDP:198.51.100.1:4789');
  };
  const frame = `0200000000110200000000210806${'00'.repeat(28)}`;
  const vni = VNI.toString(16).padStart(6, '0');
  await send(`00000000${vni}00${frame}`);
  await reached('bad_flags', 1);
  await send(`08000000ffffff00${frame}`);
  await reached('unknown_vni', 1);
  await send(`08000000${vni}00${frame.replace('0200000000110200000000210806', '0200000000110300000000210806')}`);
  await reached('group_source', 1);
  await send('08000000');
  await reached('truncated', 1);
  await send(`08000000${vni}00${frame.replace('0806', '8100')}`);
  await reached('inner_vlan', 1);
  await datapath.set({ ...state, networks: [oneNetwork(VNI, 'tap0', { ip: '198.51.100.9', port: PORT, macs: [] })] });
  await send(`08000000${vni}00${frame}`);
  await reached('unknown_source', 1);
});

test.each([
  ['nothing', null, 'the state'],
  [
    'of a VNI of 2^24',
    { v: 1, vtep: { ip: '198.51.100.1', port: PORT }, networks: [{ vni: 2 ** 24 }] },
    '/networks/0/vni',
  ],
  ['of another version', { v: 2 }, '/v'],
])('a state that is %s is refused by name, and nothing changes', async (_, state, named) => {
  const { datapath } = await userEnd(ends.a, ends.b, 1);
  const before = (await datapath.status()).state;
  expect(await datapath.tell(state)).toMatchObject({ ok: false, why: expect.stringContaining(named) });
  expect((await datapath.status()).state).toBe(before);
});
