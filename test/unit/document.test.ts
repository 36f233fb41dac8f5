import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { desiredSchema, parseDesired } from '../../src/document/index.ts';
import type { ParseResult } from '../../src/document/index.ts';
import { deriveMac } from '../../src/model/mac.ts';

type Json = Record<string, unknown>;

const CONTEXT = { gateway: 'gw-a', interfaces: new Set(['eth0', 'eth1']) };

const VALID = {
  v: 1,
  version: 12,
  gateway: 'gw-a',
  spec: {
    uplinks: { lan: { interface: 'eth0' } },
    networks: {
      line1: { driver: 'overlay', vni: 10110, subnet: '10.110.0.0/24', peers: ['203.0.113.9'], mtu: 1400 },
      hmi: { driver: 'macvlan', uplink: 'lan', subnet: '10.20.0.9/16', range: '10.20.8.0/24', gateway: '10.20.0.1' },
      cell: { driver: 'bridge', subnet: '172.30.0.0/24', subnet6: 'FD00:30::/64' },
    },
    workloads: {
      historian: {
        sandbox: { netns: 'w1' },
        networks: {
          line1: { address: '10.110.0.21', mac: '02-00-00-00-00-0A' },
          cell: { address6: 'fd00:30:0::21', interface: 'cell0' },
          hmi: {},
        },
      },
      camera: { sandbox: { pid: 77 }, networks: { line1: { address: '10.110.0.22/24' } } },
    },
  },
};

function parse(value: unknown): ParseResult {
  return parseText(JSON.stringify(value));
}

function parseText(text: string): ParseResult {
  return parseDesired(new TextEncoder().encode(text), CONTEXT);
}

function problemsOf(result: ParseResult): string[] {
  return result.ok ? [] : result.problems.map(({ code, path }) => `${code} ${path}`);
}

function documentOf(result: ParseResult): Extract<ParseResult, { ok: true }>['document'] {
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.document;
}

/** A document of these networks and workloads on the uplinks `lan` (eth0) and `lan2` (eth1). */
function document(networks: Json, workloads: Json = {}): Json {
  const uplinks = { lan: { interface: 'eth0' }, lan2: { interface: 'eth1' } };
  return { v: 1, version: 1, spec: { uplinks, networks, workloads } };
}

/** A workload in its own namespace. */
function workload(networks: Json, netns = 'w'): Json {
  return { sandbox: { netns }, networks };
}

const overlay = (vni: number, rest: Json = {}): Json => ({ driver: 'overlay', vni, ...rest });
const macvlan = (rest: Json = {}): Json => ({ driver: 'macvlan', uplink: 'lan', ...rest });
const bridge = (subnet: string, rest: Json = {}): Json => ({ driver: 'bridge', subnet, ...rest });
const NET = '/spec/networks';
const END = '/spec/workloads';

describe('a valid document', () => {
  test('becomes the desired state, canonical and with every default filled in', () => {
    const { state, version } = documentOf(parse(VALID));
    expect(version).toBe(12);
    expect(state.networks).toEqual([
      {
        name: 'line1',
        driver: 'overlay',
        vni: 10110,
        subnets: [{ family: 4, address: '10.110.0.0', length: 24 }],
        mtu: 1400,
        engine: 'auto',
        peers: ['203.0.113.9'],
        bum: { kind: 'replicate' },
      },
      {
        name: 'hmi',
        driver: 'macvlan',
        subnets: [{ family: 4, address: '10.20.0.0', length: 16 }],
        range: { family: 4, address: '10.20.8.0', length: 24 },
        gateway: '10.20.0.1',
        uplink: { name: 'lan', interface: 'eth0' },
        mode: 'bridge',
        shim: true,
      },
      {
        name: 'cell',
        driver: 'bridge',
        subnets: [
          { family: 4, address: '172.30.0.0', length: 24 },
          { family: 6, address: 'fd00:30::', length: 64 },
        ],
        gateway: '172.30.0.1',
      },
    ]);
    const sandbox = { kind: 'netns', name: 'w1' };
    expect(state.endpoints).toEqual([
      {
        workload: 'historian',
        network: 'line1',
        sandbox,
        interface: 'eth0',
        mac: '02:00:00:00:00:0a',
        addresses: [{ family: 4, address: '10.110.0.21', length: 24 }],
      },
      {
        workload: 'historian',
        network: 'cell',
        sandbox,
        interface: 'cell0',
        mac: deriveMac('cell', 'historian'),
        addresses: [{ family: 6, address: 'fd00:30::21', length: 64 }],
      },
      {
        workload: 'historian',
        network: 'hmi',
        sandbox,
        interface: 'eth2',
        mac: deriveMac('hmi', 'historian'),
        addresses: [],
      },
      {
        workload: 'camera',
        network: 'line1',
        sandbox: { kind: 'pid', pid: 77 },
        interface: 'eth0',
        mac: deriveMac('line1', 'camera'),
        addresses: [{ family: 4, address: '10.110.0.22', length: 24 }],
      },
    ]);
  });

  test.each([
    ['nothing at all', { v: 1, version: 1, spec: {} }],
    [
      'names that JavaScript knows',
      document({ constructor: overlay(1) }, { constructor: workload({ constructor: {} }) }),
    ],
    ['macvlan without a subnet', document({ m: macvlan() }, { w: workload({ m: {} }) })],
    [
      'an address with its length where the network has no subnet',
      document({ m: macvlan() }, { w: workload({ m: { address: '10.0.0.9/24' } }) }),
    ],
    [
      'two untagged networks on one uplink, with one subnet',
      document({ a: macvlan({ subnet: '10.0.0.0/24' }), b: macvlan({ subnet: '10.0.0.0/24', mode: 'private' }) }),
    ],
    ['multicast', document({ o: overlay(16777215, { bum: { multicast: '239.1.1.10' } }) })],
    [
      'an IPv6 subnet alone',
      document({ o: overlay(1, { subnet: 'fd00::/64' }) }, { w: workload({ o: { address: 'fd00::5' } }) }),
    ],
    ['one passthru workload', document({ m: macvlan({ mode: 'passthru' }) }, { w: workload({ m: {} }) })],
    [
      'the same interface name in two sandboxes',
      document({ o: overlay(1) }, { a: workload({ o: {} }, 'a'), b: workload({ o: {} }, 'b') }),
    ],
    [
      'the same MAC on two networks',
      document(
        { o: overlay(1), p: overlay(2) },
        { a: workload({ o: { mac: '02:00:00:00:00:01' }, p: { mac: '02:00:00:00:00:01' } }) },
      ),
    ],
  ])('%s', (_, value) => {
    expect(problemsOf(parse(value))).toEqual([]);
  });

  test('a network that is not in mode bridge has no shim', () => {
    const { state } = documentOf(parse(document({ m: macvlan({ mode: 'vepa' }) })));
    expect(state.networks[0]).toMatchObject({ mode: 'vepa', shim: false });
  });

  test('interfaces are not checked where the host’s are not known', () => {
    const bytes = new TextEncoder().encode(
      JSON.stringify({ v: 1, version: 1, spec: { uplinks: { x: { interface: 'q0' } } } }),
    );
    expect(parseDesired(bytes, { gateway: 'g', interfaces: undefined }).ok).toBe(true);
  });
});

describe('the hash', () => {
  const hash = (text: string) => documentOf(parseText(text)).hash;

  test('does not see white space or the order of keys', () => {
    const { spec, ...rest } = VALID;
    expect(hash(JSON.stringify({ spec, ...rest }, undefined, 4))).toBe(hash(JSON.stringify(VALID)));
    expect(hash(JSON.stringify(VALID))).toMatch(/^[0-9a-f]{64}$/);
  });

  test('sees every value, and the order of a workload’s networks, which names its interfaces', () => {
    const ab = (networks: Json) =>
      hash(JSON.stringify(document({ a: overlay(1), b: overlay(2) }, { w: workload(networks) })));
    expect(ab({ a: {}, b: {} })).not.toBe(ab({ b: {}, a: {} }));
    expect(hash(JSON.stringify({ ...VALID, version: 13 }))).not.toBe(hash(JSON.stringify(VALID)));
  });
});

describe('bytes that are no document', () => {
  test.each([
    ['', 'line 1, column 1', 'the end of the document'],
    ['{"v":1,\n  "version": tru }', 'line 2, column 14', 'found tru'],
    ['{"v":1,\n}', 'line 2, column 1', 'expected a key'],
    ['{"v":1', 'line 1, column 7', 'the closing bracket'],
    ['{"v" 1}', 'line 1, column 6', 'expected ":"'],
    ['[1,2}', 'line 1, column 5', 'the closing bracket'],
    ['{} {}', 'line 1, column 4', 'the end of the document'],
    ['{"v":01}', 'line 1, column 6', 'found 01'],
    ['{"v":"\\q"}', 'line 1, column 6', 'expected a value'],
    ['{"v":1,"v":2}', 'line 1, column 8', 'stands twice'],
    ['{"a":"', 'line 1, column 6', 'expected a value'],
  ])('%j: malformed, with the place', (text, place, reason) => {
    const result = parseText(text);
    expect(problemsOf(result)).toEqual(['malformed ']);
    expect(result.ok ? '' : result.problems[0]?.message).toContain(place);
    expect(result.ok ? '' : result.problems[0]?.message).toContain(reason);
  });

  test('bytes that are not UTF-8', () => {
    expect(problemsOf(parseDesired(Uint8Array.of(0x22, 0xff, 0x22), CONTEXT))).toEqual(['malformed ']);
  });

  test('10 MB are refused unread', () => {
    const started = performance.now();
    expect(problemsOf(parseDesired(new Uint8Array(10_000_000), CONTEXT))).toEqual(['too_large ']);
    expect(performance.now() - started).toBeLessThan(50);
  });

  test.each([
    ['deep lists', '['.repeat(500_000) + ']'.repeat(500_000)],
    ['deep objects', '{"a":'.repeat(150_000) + '1' + '}'.repeat(150_000)],
    ['deep and unfinished', '['.repeat(1_000_000)],
    ['an endless string', `"${'\\n'.repeat(500_000)}`],
    ['a huge unknown key', `{"${'k'.repeat(1_000_000)}":1}`],
    ['many unknown keys', `{${Array.from({ length: 80_000 }, (_, index) => `"k${index}":1`).join(',')}}`],
  ])('%s: a small answer', (_, text) => {
    const result = parseText(text);
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result).length).toBeLessThan(30_000);
  });

  test('thousands of clashing networks: a small answer, soon', () => {
    const names = Array.from({ length: 9000 }, (_, index) => `n${index}`);
    const started = performance.now();
    const result = parse(
      document(Object.fromEntries(names.map((name) => [name, overlay(1, { subnet: '10.0.0.0/8' })]))),
    );
    expect(performance.now() - started).toBeLessThan(5000);
    expect(problemsOf(result)).toHaveLength(20);
  });
});

describe('what the schema refuses', () => {
  test.each<[string, Json | unknown, string[]]>([
    ['no object', 7, ['schema ']],
    ['an empty object', {}, ['schema ', 'schema ', 'schema ']],
    ['another format version', { v: 2, version: 1, spec: {} }, ['schema /v']],
    ['a version that is no number', { v: 1, version: '7', spec: {} }, ['schema /version']],
    ['an unknown key', { v: 1, version: 1, spec: { netwroks: {} } }, ['schema /spec/netwroks']],
    ['a key that needs escaping', { v: 1, version: 1, spec: {}, 'a/b~': 1 }, ['schema /a~1b~0']],
    ['a bad name', document({ Line_1: overlay(1) }), [`schema ${NET}/Line_1`]],
    ['VNI 0', document({ o: overlay(0) }), [`vni_range ${NET}/o/vni`]],
    ['VNI 2^24', document({ o: overlay(2 ** 24) }), [`vni_range ${NET}/o/vni`]],
    ['VNI 1.5', document({ o: overlay(1.5) }), [`vni_range ${NET}/o/vni`]],
    ['a VNI that is text', document({ o: { driver: 'overlay', vni: '5' } }), [`schema ${NET}/o/vni`]],
    ['no VNI', document({ o: { driver: 'overlay' } }), [`schema ${NET}/o`]],
    ['an unknown driver', document({ o: { driver: 'vlan', id: 3 } }), [`unknown_driver ${NET}/o/driver`]],
    ['no driver', document({ o: { vni: 3 } }), [`schema ${NET}/o`]],
    ['a field of another driver', document({ o: overlay(1, { mode: 'bridge' }) }), [`schema ${NET}/o/mode`]],
    ['a bridge without subnet', document({ b: { driver: 'bridge' } }), [`schema ${NET}/b`]],
    ['a mode that is none', document({ m: macvlan({ mode: 'l2' }) }), [`schema ${NET}/m/mode`]],
    ['an MTU too small', document({ o: overlay(1, { mtu: 575 }) }), [`schema ${NET}/o/mtu`]],
    ['shim as text', document({ m: macvlan({ shim: 'yes' }) }), [`schema ${NET}/m/shim`]],
    ['another bum', document({ o: overlay(1, { bum: 'flood' }) }), [`schema ${NET}/o/bum`]],
    ['a bum with other keys', document({ o: overlay(1, { bum: { multicats: 'x' } }) }), [`schema ${NET}/o/bum`]],
    ['peers as text', document({ o: overlay(1, { peers: '10.0.0.1' }) }), [`schema ${NET}/o/peers`]],
    [
      'two sandboxes',
      document({}, { w: { sandbox: { netns: 'a', pid: 1 }, networks: {} } }),
      [`schema ${END}/w/sandbox`],
    ],
    ['no sandbox', document({}, { w: { networks: {} } }), [`schema ${END}/w`]],
    ['a sandbox out of its folder', document({}, { w: workload({}, '../etc') }), [`schema ${END}/w/sandbox/netns`]],
    [
      'a long interface name',
      document({ o: overlay(1) }, { w: workload({ o: { interface: 'e'.repeat(16) } }) }),
      [`schema ${END}/w/networks/o/interface`],
    ],
    [
      'a MAC that is none',
      document({ o: overlay(1) }, { w: workload({ o: { mac: '02:00' } }) }),
      [`schema ${END}/w/networks/o/mac`],
    ],
    [
      'a group MAC',
      document({ o: overlay(1) }, { w: workload({ o: { mac: '01:00:5e:00:00:01' } }) }),
      [`schema ${END}/w/networks/o/mac`],
    ],
    [
      'an address that is none',
      document({ o: overlay(1) }, { w: workload({ o: { address: '10.0.0.256' } }) }),
      [`schema ${END}/w/networks/o/address`],
    ],
    ['a subnet that is none', document({ o: overlay(1, { subnet: '10.0.0.0/33' }) }), [`schema ${NET}/o/subnet`]],
    ['everything as subnet', document({ o: overlay(1, { subnet: '0.0.0.0/0' }) }), [`schema ${NET}/o/subnet`]],
    ['loopback as subnet', document({ o: overlay(1, { subnet: '127.0.0.0/8' }) }), [`schema ${NET}/o/subnet`]],
    ['IPv4 as subnet6', document({ o: overlay(1, { subnet6: '10.0.0.0/8' }) }), [`schema ${NET}/o/subnet6`]],
    [
      'two IPv6 subnets',
      document({ o: overlay(1, { subnet: 'fd00::/64', subnet6: 'fd01::/64' }) }),
      [`schema ${NET}/o/subnet`],
    ],
    [
      'a multicast peer',
      document({ o: overlay(1, { peers: ['10.0.0.1', '239.0.0.1'] }) }),
      [`schema ${NET}/o/peers/1`],
    ],
    [
      'a unicast group',
      document({ o: overlay(1, { bum: { multicast: '10.0.0.1' } }) }),
      [`schema ${NET}/o/bum/multicast`],
    ],
  ])('%s', (_, value, expected) => {
    expect(problemsOf(parse(value))).toEqual(expected);
  });

  test('__proto__ is a key like any other', () => {
    const text = '{"v":1,"version":1,"spec":{"networks":{"__proto__":{"driver":"overlay","vni":1}},"__proto__":{}}}';
    expect(problemsOf(parseText(text)).sort()).toEqual([`schema ${NET}/__proto__`, 'schema /spec/__proto__'].sort());
    expect(({} as Json)['driver']).toBeUndefined();
  });

  test.each([
    [document({ o: overlay(0) }), 'spec.networks.o.vni must be a whole number from 1 to 16777215'],
    [document({ o: { driver: 'vlan' } }), 'spec.networks.o.driver must be one of bridge, macvlan, ipvlan, overlay'],
    [document({ o: { driver: 'overlay' } }), 'spec.networks.o lacks "vni" (the VXLAN network identifier); add it'],
    [
      { v: 1, version: 1, spec: { x: 1 } },
      'spec.x is not a known field; remove it, or use one of uplinks, networks, workloads',
    ],
  ])('messages name field and remedy (%#)', (value, message) => {
    const result = parse(value);
    expect(result.ok ? undefined : result.problems[0]?.message).toBe(message);
  });

  test('the version of a refused document is told', () => {
    expect(parse({ v: 1, version: 7, spec: { x: 1 } })).toMatchObject({ ok: false, version: 7 });
    expect(parse({ v: 1, version: 'x', spec: {} })).not.toHaveProperty('version');
  });
});

const inA = (address: string): Json =>
  document({ a: overlay(1, { subnet: '10.0.0.0/24', gateway: '10.0.0.1' }) }, { w: workload({ a: { address } }) });
const two = (a: Json, b: Json): Json =>
  document({ a: overlay(1, { subnet: '10.0.0.0/24' }) }, { w: workload({ a }, 'w'), x: workload({ a: b }, 'x') });
const MAC = '02:00:00:00:00:01';

describe('what the cross-checks refuse', () => {
  test.each<[string, Json, string[]]>([
    ['another gateway', { ...VALID, gateway: 'gw-b' }, ['wrong_gateway /gateway']],
    [
      'an uplink that is not there',
      document({ m: { driver: 'macvlan', uplink: 'wan' } }),
      [`missing_uplink ${NET}/m/uplink`],
    ],
    [
      'an uplink with a JavaScript name',
      document({ m: { driver: 'macvlan', uplink: 'constructor' } }),
      [`missing_uplink ${NET}/m/uplink`],
    ],
    [
      'an interface that is not there',
      { v: 1, version: 1, spec: { uplinks: { x: { interface: 'eth9' } } } },
      ['missing_interface /spec/uplinks/x/interface'],
    ],
    [
      'one interface, two uplinks',
      { v: 1, version: 1, spec: { uplinks: { x: { interface: 'eth0' }, y: { interface: 'eth0' } } } },
      ['duplicate_interface /spec/uplinks/y/interface'],
    ],
    ['one VNI twice', document({ a: overlay(5), b: overlay(5) }), [`duplicate_vni ${NET}/b/vni`]],
    [
      'overlapping subnets',
      document({ a: overlay(1, { subnet: '10.0.0.0/8' }), b: bridge('10.9.0.0/24') }),
      [`subnet_overlap ${NET}/b/subnet`],
    ],
    [
      'a wide subnet after a narrow one',
      document({ a: bridge('10.9.0.0/24'), b: overlay(1, { subnet: '10.0.0.0/8' }) }),
      [`subnet_overlap ${NET}/b/subnet`],
    ],
    [
      'an overlap that others stand between',
      document({ a: bridge('10.0.0.0/8'), b: bridge('11.0.0.0/24'), c: bridge('10.255.0.0/24') }),
      [`subnet_overlap ${NET}/c/subnet`],
    ],
    [
      'equal IPv6 subnets',
      document({ a: overlay(1, { subnet6: 'fd00::/64' }), b: overlay(2, { subnet6: 'fd00::/64' }) }),
      [`subnet_overlap ${NET}/b/subnet6`],
    ],
    [
      'unequal subnets on one segment',
      document({ a: macvlan({ subnet: '10.0.0.0/16' }), b: macvlan({ subnet: '10.0.0.0/24' }) }),
      [`subnet_overlap ${NET}/b/subnet`],
    ],
    [
      'a network that is not there',
      document({}, { w: workload({ nope: {} }) }),
      [`missing_network ${END}/w/networks/nope`],
    ],
    ['an address outside', inA('10.0.1.5'), [`address_outside_subnet ${END}/w/networks/a/address`]],
    ['an address of another family', inA('fd00::5'), [`address_outside_subnet ${END}/w/networks/a/address`]],
    ['the network address', inA('10.0.0.0'), [`address_outside_subnet ${END}/w/networks/a/address`]],
    ['the broadcast address', inA('10.0.0.255'), [`address_outside_subnet ${END}/w/networks/a/address`]],
    ['another prefix length', inA('10.0.0.5/16'), [`address_outside_subnet ${END}/w/networks/a/address`]],
    ['the gateway’s address', inA('10.0.0.1'), [`duplicate_address ${END}/w/networks/a/address`]],
    [
      'the bridge’s own address',
      document({ b: bridge('10.0.0.0/24') }, { w: workload({ b: { address: '10.0.0.1' } }) }),
      [`duplicate_address ${END}/w/networks/b/address`],
    ],
    [
      'a plain address where there is no subnet',
      document({ m: macvlan() }, { w: workload({ m: { address: '10.0.0.9' } }) }),
      [`address_outside_subnet ${END}/w/networks/m/address`],
    ],
    [
      'one address twice',
      two({ address: '10.0.0.5' }, { address: '10.0.0.5/24' }),
      [`duplicate_address ${END}/x/networks/a/address`],
    ],
    ['one MAC twice', two({ mac: MAC }, { mac: MAC }), [`duplicate_mac ${END}/x/networks/a/mac`]],
    [
      'one interface name twice',
      document({ a: overlay(1), b: overlay(2) }, { w: workload({ a: { interface: 'x0' }, b: { interface: 'x0' } }) }),
      [`duplicate_interface ${END}/w/networks/b/interface`],
    ],
    [
      'one interface name in a shared sandbox',
      document({ a: overlay(1) }, { w: workload({ a: {} }, 's'), x: workload({ a: {} }, 's') }),
      [`duplicate_interface ${END}/x/networks/a`],
    ],
    [
      'no address on the plant’s subnet',
      document({ m: macvlan({ subnet: '10.0.0.0/24' }) }, { w: workload({ m: {} }) }),
      [`address_required ${END}/w/networks/m`],
    ],
    [
      'a range outside',
      document({ a: overlay(1, { subnet: '10.0.0.0/24', range: '10.0.0.0/23' }) }),
      [`address_outside_subnet ${NET}/a/range`],
    ],
    [
      'a gateway outside',
      document({ a: overlay(1, { subnet: '10.0.0.0/24', gateway: '10.0.1.1' }) }),
      [`address_outside_subnet ${NET}/a/gateway`],
    ],
    [
      'a gateway without subnet',
      document({ a: overlay(1, { gateway: '10.0.1.1' }) }),
      [`address_outside_subnet ${NET}/a/gateway`],
    ],
    [
      'two workloads in passthru',
      document({ m: macvlan({ mode: 'passthru' }) }, { w: workload({ m: {} }, 'w'), x: workload({ m: {} }, 'x') }),
      [`parent_busy ${END}/x/networks/m`],
    ],
    [
      'passthru beside another',
      document({ a: macvlan(), m: macvlan({ mode: 'passthru' }) }),
      [`parent_busy ${NET}/a/uplink`],
    ],
    [
      'passthru twice',
      document({ a: macvlan({ mode: 'passthru' }), b: macvlan({ mode: 'passthru' }) }),
      [`parent_busy ${NET}/b/uplink`],
    ],
    ['passthru with a shim', document({ m: macvlan({ mode: 'passthru', shim: true }) }), [`parent_busy ${NET}/m/shim`]],
    [
      'one VLAN twice',
      document({ a: macvlan({ vlan: 5 }), b: macvlan({ vlan: 5 }) }),
      [`duplicate_vlan ${NET}/b/vlan`, `unsupported ${NET}/a/vlan`, `unsupported ${NET}/b/vlan`],
    ],
    [
      'a VLAN and its stretch with unequal subnets',
      document({
        a: macvlan({ vlan: 5, subnet: '10.0.0.0/24' }),
        b: overlay(1, { subnet: '10.0.0.0/16', stretch: { uplink: 'lan', vlan: 5 } }),
      }),
      [`subnet_overlap ${NET}/b/subnet`, `unsupported ${NET}/a/vlan`, `unsupported ${NET}/b/stretch`],
    ],
    [
      'a VLAN and its stretch with equal subnets: only what is not done yet',
      document({
        a: macvlan({ vlan: 5, subnet: '10.0.0.0/24' }),
        b: overlay(1, { subnet: '10.0.0.0/24', stretch: { uplink: 'lan', vlan: 5 } }),
      }),
      [`unsupported ${NET}/a/vlan`, `unsupported ${NET}/b/stretch`],
    ],
  ])('%s', (_, value, expected) => {
    expect(problemsOf(parse(value))).toEqual(expected);
  });
});

describe('what this version does not do yet is refused, never ignored', () => {
  test.each<[string, Json]>([
    ['/spec/networks/n/driver', document({ n: { driver: 'ipvlan', uplink: 'lan' } })],
    ['/spec/networks/n/vlan', document({ n: macvlan({ vlan: 110 }) })],
    ['/spec/networks/n/stretch', document({ n: overlay(1, { stretch: { uplink: 'lan', vlan: 1 } }) })],
    ['/spec/networks/n/guards', document({ n: overlay(1, { guards: { dhcp: 'block' } }) })],
    ['/spec/networks/n/engine', document({ n: overlay(1, { engine: 'user' }) })],
    ['/spec/networks/n/icc', document({ n: bridge('10.0.0.0/24', { icc: false }) })],
    [
      '/spec/networks/n/address',
      document({ n: macvlan({ address: 'dhcp', subnet: '10.0.0.0/24' }) }, { w: workload({ n: {} }) }),
    ],
    [
      '/spec/workloads/w/networks/n/address',
      document({ n: macvlan({ subnet: '10.0.0.0/24' }) }, { w: workload({ n: { address: 'dhcp' } }) }),
    ],
    [
      '/spec/workloads/w/networks/n/publish',
      document({ n: overlay(1) }, { w: workload({ n: { publish: ['8080:80/tcp'] } }) }),
    ],
    ['/spec/workloads/w/networks/n/aliases', document({ n: overlay(1) }, { w: workload({ n: { aliases: ['db'] } }) })],
    ['/spec/workloads/w/sandbox/container', document({}, { w: { sandbox: { container: 'hmi' }, networks: {} } })],
    ['/spec/uplinks/lan/ssid', { v: 1, version: 1, spec: { uplinks: { lan: { interface: 'eth0', ssid: 'x' } } } }],
    [
      '/spec/uplinks/lan/pskFile',
      { v: 1, version: 1, spec: { uplinks: { lan: { interface: 'eth0', pskFile: '/x' } } } },
    ],
    ['/confirm', { v: 1, version: 1, spec: {}, confirm: { timeout_s: 120 } }],
  ])('%s', (path, value) => {
    expect(problemsOf(parse(value))).toEqual([`unsupported ${path}`]);
  });
});

describe('the published schema', () => {
  function* objects(value: unknown): Generator<Json> {
    if (typeof value !== 'object' || value === null) return;
    if (!Array.isArray(value)) yield value as Json;
    for (const child of Object.values(value)) yield* objects(child);
  }

  test('closes every object and describes every field', () => {
    const schemas = [...objects(desiredSchema)].filter((item) => 'properties' in item && 'description' in item);
    expect(schemas.length).toBeGreaterThan(12);
    for (const item of schemas.filter((schema) => !('allOf' in schema))) {
      expect(item).toMatchObject({ additionalProperties: false });
      for (const field of Object.values(item['properties'] as Json)) expect(field).toHaveProperty('description');
    }
  });
});

describe('whatever comes in', () => {
  const settled = (result: ParseResult) => result.ok || result.problems.length > 0;

  test('random JSON and random bytes are answered', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => settled(parse(value))));
    fc.assert(fc.property(fc.uint8Array(), (bytes) => settled(parseDesired(bytes, CONTEXT))));
  });

  test('random mutations of a valid document are answered', () => {
    const hostile = fc.oneof(
      fc.jsonValue(),
      fc.ipV4(),
      fc.ipV6(),
      fc.ipV4().map((address) => `${address}/24`),
      fc.ipV6().map((address) => `${address}/64`),
      fc.stringMatching(/^[0-9a-f:.]{2,20}(\/[0-9]{1,3})?$/),
      fc.integer(),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), hostile), { minLength: 1, maxLength: 3 }), (changes) => {
        const copy = structuredClone(VALID);
        for (const [pick, value] of changes) replace(copy, pick, value);
        return settled(parse(copy));
      }),
      { numRuns: 2000 },
    );
  });

  test('random cuts and swaps in the text are answered', () => {
    const text = JSON.stringify(VALID);
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(5), fc.string({ maxLength: 3 }), (at, cut, put) =>
        settled(parseText(text.slice(0, at) + put + text.slice(at + cut))),
      ),
      { numRuns: 1000 },
    );
  });

  function replace(root: unknown, pick: number, value: unknown): void {
    const places: [Json, string][] = [];
    const walk = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return;
      for (const [key, child] of Object.entries(node)) {
        places.push([node as Json, key]);
        walk(child);
      }
    };
    walk(root);
    const place = places[pick % places.length];
    if (place) place[0][place[1]] = value;
  }
});
