import { describe, expect, test } from '@jest/globals';
import {
  bridge,
  document,
  documentOf,
  END,
  type Json,
  ipvlan,
  macvlan,
  NET,
  overlay,
  parse,
  problemsOf,
  workload,
} from './support/documents.ts';

const inA = (address: string): Json =>
  document({ a: overlay(1, { subnet: '10.0.0.0/24', gateway: '10.0.0.1' }) }, { w: workload({ a: { address } }) });
const two = (a: Json, b: Json): Json =>
  document({ a: overlay(1, { subnet: '10.0.0.0/24' }) }, { w: workload({ a }, 'w'), x: workload({ a: b }, 'x') });
const MAC = '02:00:00:00:00:01';

describe('what the cross-checks refuse', () => {
  test.each<[string, Json, string[]]>([
    ['another gateway', { v: 1, version: 1, gateway: 'gw-b', spec: {} }, ['wrong_gateway /gateway']],
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
      'two narrow subnets in a wide one',
      document({ a: bridge('10.0.0.0/8'), b: bridge('10.1.0.0/24'), c: bridge('10.2.0.0/24') }),
      [`subnet_overlap ${NET}/b/subnet`, `subnet_overlap ${NET}/c/subnet`],
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
    ['ipvlan beside macvlan', document({ a: macvlan(), b: ipvlan() }), [`parent_busy ${NET}/b/driver`]],
    ['ipvlan in two modes', document({ a: ipvlan(), b: ipvlan({ mode: 'l3' }) }), [`parent_busy ${NET}/b/mode`]],
    ['a lease on ipvlan', document({ a: ipvlan({ address: 'dhcp' }) }), [`address_required ${NET}/a/address`]],
    [
      'a MAC on ipvlan',
      document({ a: ipvlan() }, { w: workload({ a: { mac: '02:00:00:00:00:15' } }) }),
      [`parent_busy ${END}/w/networks/a/mac`],
    ],
    [
      'a router in mode l3',
      document({ a: ipvlan({ mode: 'l3s', subnet: '10.0.0.0/24', gateway: '10.0.0.1' }) }),
      [`parent_busy ${NET}/a/gateway`],
    ],
    ['passthru with a shim', document({ m: macvlan({ mode: 'passthru', shim: true }) }), [`parent_busy ${NET}/m/shim`]],
    [
      'one VLAN twice',
      document({ a: macvlan({ vlan: 5 }), b: macvlan({ vlan: 5 }) }),
      [`duplicate_vlan ${NET}/b/vlan`],
    ],
    [
      'one VLAN inside one outer VLAN twice',
      document({ a: macvlan({ vlan: 5, outerVlan: 20 }), b: macvlan({ vlan: 5, outerVlan: 20 }) }),
      [`duplicate_vlan ${NET}/b/vlan`],
    ],
    [
      'ipvlan in two modes on one VLAN inside another',
      document({ a: ipvlan({ vlan: 5, outerVlan: 20 }), b: ipvlan({ vlan: 5, outerVlan: 20, mode: 'l3' }) }),
      [`duplicate_vlan ${NET}/b/vlan`, `parent_busy ${NET}/b/mode`],
    ],
    [
      'a VLAN inside another and its stretch',
      document({
        a: macvlan({ vlan: 5, outerVlan: 20 }),
        b: overlay(1, { stretch: { uplink: 'lan', vlan: 5, outerVlan: 20 } }),
      }),
      [`parent_busy ${NET}/b/stretch`],
    ],
    [
      'a VLAN and its stretch with unequal subnets',
      document({
        a: macvlan({ vlan: 5, subnet: '10.0.0.0/24' }),
        b: overlay(1, { subnet: '10.0.0.0/16', stretch: { uplink: 'lan', vlan: 5 } }),
      }),
      [`parent_busy ${NET}/b/stretch`, `subnet_overlap ${NET}/b/subnet`],
    ],
    [
      'a VLAN and its stretch with equal subnets',
      document({
        a: macvlan({ vlan: 5, subnet: '10.0.0.0/24' }),
        b: overlay(1, { subnet: '10.0.0.0/24', stretch: { uplink: 'lan', vlan: 5 } }),
      }),
      [`parent_busy ${NET}/b/stretch`],
    ],
    [
      'an uplink’s untagged frames stretched twice, and under macvlan',
      document({
        a: macvlan(),
        b: overlay(1, { stretch: { uplink: 'lan' } }),
        c: overlay(2, { stretch: { uplink: 'lan' } }),
      }),
      [`duplicate_vlan ${NET}/c/stretch`, `parent_busy ${NET}/b/stretch`, `parent_busy ${NET}/c/stretch`],
    ],
    [
      'a stretch to nowhere',
      document({ a: overlay(1, { stretch: { uplink: 'wan' } }) }),
      [`missing_uplink ${NET}/a/stretch/uplink`],
    ],
    [
      'one VLAN by itself, inside an outer one, and stretched inside another',
      document(
        {
          a: macvlan({ vlan: 5 }),
          b: ipvlan({ vlan: 5, outerVlan: 20 }),
          c: ipvlan({ vlan: 5, outerVlan: 21, mode: 'l3' }),
          d: overlay(1, { stretch: { uplink: 'lan', vlan: 5, outerVlan: 22 } }),
          e: macvlan({ vlan: 20 }),
        },
        {
          w: workload({ a: { mac: '02:00:00:00:00:01', address: '10.0.0.5/24' } }),
          x: workload({ e: { mac: '02:00:00:00:00:01', address: '10.0.0.5/24' } }, 'x'),
        },
      ),
      [],
    ],
    [
      'a VLAN beside the stretch of another',
      document({ a: macvlan({ vlan: 5 }), b: overlay(1, { stretch: { uplink: 'lan', vlan: 6 } }) }),
      [],
    ],
  ])('%s', (_, value, expected) => {
    expect(problemsOf(parse(value))).toEqual(expected);
  });
});

const asking = (...engines: (string | undefined)[]): string[] =>
  problemsOf(
    parse(
      document(
        Object.fromEntries(
          engines.map((engine, n) => [`n${n}`, overlay(n + 1, engine === undefined ? {} : { engine })]),
        ),
      ),
    ),
  );

describe('a gateway has one engine', () => {
  test('so networks that ask for different ones are refused, each that differs from the first', () => {
    expect(asking('auto', 'kernel', undefined, 'user', 'user')).toEqual([
      `engine_conflict ${NET}/n3/engine`,
      `engine_conflict ${NET}/n4/engine`,
    ]);
    const result = parse(document({ a: overlay(1, { engine: 'user' }), b: overlay(2, { engine: 'kernel' }) }));
    const [problem] = result.ok ? [] : result.problems;
    expect(problem?.message).toContain('asks for kernel, and network a for user; a gateway has one engine: give both');
  });

  test.each([
    ['user', 'auto'],
    ['user', 'user'],
    ['kernel', undefined],
  ])('and %s with %s is no conflict', (one, other) => {
    expect(asking(one, other)).toEqual([]);
  });
});

test('an address from DHCP is for macvlan alone', () => {
  const leased = { w: workload({ n: { address: 'dhcp' } }) };
  expect(problemsOf(parse(document({ n: overlay(1, { subnet: '10.0.0.0/24' }) }, leased)))).toEqual([
    'address_required /spec/workloads/w/networks/n/address',
  ]);
  expect(problemsOf(parse(document({ n: macvlan({ subnet: '10.0.0.0/24' }) }, leased)))).toEqual([]);
  expect(problemsOf(parse(document({ n: macvlan({ address: 'dhcp' }) }, { w: workload({ n: {} }) })))).toEqual([]);
});

test('workloads may share an alias, also one that is another’s name; what DNS cannot ask for is refused', () => {
  const shared = { aliases: ['Store', 'b'] };
  const parsed = parse(document({ n: overlay(1) }, { a: workload({ n: shared }), b: workload({ n: shared }, 'w2') }));
  expect(problemsOf(parsed)).toEqual([]);
  expect(parsed.ok ? parsed.document.state.endpoints.map(({ aliases }) => aliases) : []).toEqual([
    ['store', 'b'],
    ['store', 'b'],
  ]);
  const wrong = parse(document({ n: overlay(1) }, { a: workload({ n: { aliases: ['db', 'a..b'] } }) }));
  expect(problemsOf(wrong)).toEqual(['schema /spec/workloads/a/networks/n/aliases/1']);
});

const wifi = (wish: Json): ReturnType<typeof parse> =>
  parse({ v: 1, version: 1, spec: { uplinks: { air: { interface: 'eth0', ...wish } } } });

describe('a WiFi uplink', () => {
  test.each<[Json, object | undefined]>([
    [{}, undefined],
    [{ ssid: 'odd:na me "é🏭' }, { ssid: 'odd:na me "é🏭' }],
    [
      { ssid: '-', pskFile: '/psk' },
      { ssid: '-', pskFile: '/psk' },
    ],
  ])('%j', (wish, expected) => {
    const parsed = wifi(wish);
    expect(parsed.ok && parsed.document.state.uplinks[0]?.wifi).toEqual(expected);
  });

  test.each<[Json, string]>([
    [{ ssid: '🏭'.repeat(9) }, 'schema /spec/uplinks/air/ssid'],
    [{ ssid: 'x'.repeat(33) }, 'schema /spec/uplinks/air/ssid'],
    [{ ssid: '' }, 'schema /spec/uplinks/air/ssid'],
    [{ ssid: 'a\0b' }, 'schema /spec/uplinks/air/ssid'],
    [{ pskFile: '/psk' }, 'schema /spec/uplinks/air/pskFile'],
    [{ ssid: 'x', pskFile: 'psk' }, 'schema /spec/uplinks/air/pskFile'],
  ])('%j is refused', (wish, problem) => expect(problemsOf(wifi(wish))).toEqual([problem]));
});

test('how long a confirmation is waited for is told beside the state', () => {
  const bare = { v: 1, version: 1, spec: {} };
  expect(documentOf(parse({ ...bare, confirm: { timeout_s: 120 } })).confirmS).toBe(120);
  expect(documentOf(parse(bare)).confirmS).toBeNull();
  expect(problemsOf(parse({ ...bare, confirm: { timeout_s: 0 } }))).toEqual(['schema /confirm/timeout_s']);
});
