import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseDesired } from '../../src/document/index.ts';
import type { ParseResult } from '../../src/document/index.ts';
import { deriveMac } from '../../src/model/derived-mac.ts';
import {
  CONTEXT,
  document,
  documentOf,
  type Json,
  ipvlan,
  macvlan,
  overlay,
  parse,
  parseText,
  problemsOf,
  workload,
} from './support/documents.ts';

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
        gateways: [],
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
        gateways: ['10.20.0.1'],
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
        gateways: ['172.30.0.1', 'fd00:30::1'],
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
    ['ipvlan beside macvlan, on another VLAN', document({ a: macvlan({ vlan: 5 }), b: ipvlan(), c: ipvlan() })],
    [
      'ipvlan of three modes, each on its VLAN',
      document({ a: ipvlan(), b: ipvlan({ vlan: 5, mode: 'l3' }), c: ipvlan({ vlan: 6, mode: 'l3s' }) }),
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

const hash = (text: string) => documentOf(parseText(text)).hash;

describe('the hash', () => {
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
    // not UTF-8: whoever reads it has something else to say
    const bytes = new Uint8Array(10_000_000).fill(0xff);
    expect(problemsOf(parseDesired(bytes, CONTEXT))).toEqual(['too_large ']);
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

const settled = (result: ParseResult) => result.ok || result.problems.length > 0;

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

describe('whatever comes in', () => {
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
});
