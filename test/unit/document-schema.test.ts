import { describe, expect, test } from '@jest/globals';
import { desiredSchema } from '../../src/document/index.ts';
import {
  document,
  END,
  type Json,
  ipvlan,
  macvlan,
  NET,
  overlay,
  parse,
  parseText,
  problemsOf,
  workload,
} from './support/documents.ts';

describe('what the schema refuses', () => {
  test.each<[string, unknown, string[]]>([
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
    ['an outer VLAN alone', document({ m: macvlan({ outerVlan: 20 }) }), [`schema ${NET}/m/outerVlan`]],
    ['an outer VLAN alone on ipvlan', document({ m: ipvlan({ outerVlan: 20 }) }), [`schema ${NET}/m/outerVlan`]],
    [
      'an outer VLAN alone, stretched',
      document({ o: overlay(1, { stretch: { uplink: 'lan', outerVlan: 20 } }) }),
      [`schema ${NET}/o/stretch/outerVlan`],
    ],
    [
      'an outer VLAN of no number',
      document({ m: macvlan({ vlan: 5, outerVlan: 4095 }) }),
      [`schema ${NET}/m/outerVlan`],
    ],
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
    ['IPv6 with IPv4 inside', document({ o: overlay(1, { subnet: '::0.0.0.0/64' }) }), [`schema ${NET}/o/subnet`]],
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
    [document({ m: macvlan({ outerVlan: 20 }) }), 'spec.networks.m.outerVlan needs "vlan" beside it; add it'],
    [document({ o: { driver: 'overlay' } }), 'spec.networks.o lacks "vni" (the VXLAN network identifier); add it'],
    [
      { v: 1, version: 1, spec: { x: 1 } },
      'spec.x is not a known field; remove it, or use one of uplinks, networks, workloads, firmware',
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

function* objects(value: unknown): Generator<Json> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value as Json;
  for (const child of Object.values(value)) yield* objects(child);
}

describe('the published schema', () => {
  test('closes every object and describes every field', () => {
    const schemas = [...objects(desiredSchema)].filter((item) => 'properties' in item && 'description' in item);
    expect(schemas.length).toBeGreaterThan(12);
    for (const item of schemas.filter((schema) => !('allOf' in schema))) {
      expect(item).toMatchObject({ additionalProperties: false });
      for (const field of Object.values(item['properties'] as Json)) expect(field).toHaveProperty('description');
    }
  });
});
