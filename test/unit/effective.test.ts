import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { contains } from '../../src/model/ip.ts';
import { deriveMac } from '../../src/model/derived-mac.ts';
import type { Endpoint } from '../../src/model/network.ts';
import { type Effective, effective, type Lease } from '../../src/reconcile/effective.ts';
import { document, documentOf, type Json, macvlan, overlay, parse, workload } from './support/documents.ts';

const O = overlay(1, { subnet: '10.9.0.0/29', gateway: '10.9.0.1' });
const lease = (w: string, address: string): Lease => ({
  workload: w,
  network: 'o',
  family: address.includes(':') ? 6 : 4,
  address,
});
const extra = (w: string, network = 'o', ...addresses: string[]): Endpoint => ({
  workload: w,
  network,
  sandbox: { kind: 'netns', name: w },
  interface: 'eth0',
  mac: deriveMac(network, w),
  addresses: addresses.map((address) => ({ family: 4, address, length: 29 })),
});

type Given = { attachments?: readonly Endpoint[]; leases?: readonly Lease[]; remote?: readonly string[] };

function of(networks: Json, workloads: Json, { attachments = [], leases = [], remote = [] }: Given = {}): Effective {
  const { state } = documentOf(parse(document(networks, workloads)));
  return effective(state, attachments, leases, new Map([['o', new Set(remote)]]), 'gw-a');
}

const addressesOf = ({ desired }: Effective): Record<string, readonly string[]> =>
  Object.fromEntries(desired.endpoints.map((e) => [e.workload, e.addresses.map(({ address }) => address)]));
const some = (...names: string[]): Json => Object.fromEntries(names.map((name) => [name, workload({ o: {} }, name)]));

describe('an endpoint without an address', () => {
  test('gets one of each family, which is leased, and the same again from the lease', () => {
    const dual = overlay(1, { subnet: '10.9.0.0/24', subnet6: 'fd00:9::/64' });
    const first = of({ o: dual }, some('w'));
    expect(first.newLeases.map(({ family }) => family)).toEqual([4, 6]);
    expect(first.desired.endpoints[0]?.addresses.map(({ length }) => length)).toEqual([24, 64]);
    const again = of({ o: dual }, some('w'), { leases: first.newLeases });
    expect(again.desired).toEqual(first.desired);
    expect([again.newLeases, again.staleLeases]).toEqual([[], []]);
  });

  test('gets none that is in use: here, at other sites, by lease, by name or by the router', () => {
    const given = {
      remote: ['10.9.0.2'],
      leases: [lease('a', '10.9.0.3')],
      attachments: [extra('x', 'o', '10.9.0.4')],
    };
    const result = of({ o: O }, { ...some('a', 'w'), n: workload({ o: { address: '10.9.0.5' } }, 'n') }, given);
    expect(addressesOf(result)).toEqual({ a: ['10.9.0.3'], w: ['10.9.0.6'], n: ['10.9.0.5'], x: ['10.9.0.4'] });
  });

  test('where none is left is named with the remedy, and the others are served', () => {
    const result = of({ o: O }, some('a', 'b', 'c', 'd', 'e', 'f'));
    expect(result.desired.endpoints).toHaveLength(5);
    expect([...result.problems.keys()]).toEqual(['endpoint/f/o']);
    expect(result.problems.get('endpoint/f/o')).toMatchObject({
      code: 'pool_exhausted',
      path: '/spec/workloads/f/networks/o',
    });
    expect(result.problems.get('endpoint/f/o')?.message).toContain('widen its subnet or range');
    expect(result.newLeases.map(({ workload: w }) => w)).not.toContain('f');
  });

  test('stays without one on a network without a subnet', () => {
    expect(addressesOf(of({ o: macvlan() }, some('w')))).toEqual({ w: [] });
  });

  test('is served from the range, whoever asks first', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']), (names) => {
        const result = of({ o: macvlan({ subnet: '10.20.0.0/16', range: '10.20.8.0/28' }) }, some(...names));
        const all = Object.values(addressesOf(result)).flat();
        expect(new Set(all).size).toBe(names.length);
        for (const address of all)
          expect(contains({ family: 4, address: '10.20.8.0', length: 28 }, address)).toBe(true);
      }),
      { numRuns: 200, seed: 20_261_124 },
    );
  });
});

const stale = (result: Effective): string[] => result.staleLeases.map(({ address }) => address);

describe('a lease', () => {
  test.each<[string, Json, Json, string]>([
    ['the workload is gone', { o: O }, some('other'), '10.9.0.3'],
    ['the network is gone', { p: O }, {}, '10.9.0.3'],
    ['the workload now names an address', { o: O }, { w: workload({ o: { address: '10.9.0.5' } }) }, '10.9.0.3'],
    ['the subnet is another', { o: overlay(1, { subnet: '10.8.0.0/24' }) }, some('w'), '10.9.0.3'],
    ['no host may hold it any more', { o: overlay(1, { subnet: '10.9.0.4/30' }) }, some('w'), '10.9.0.7'],
    [
      'it is the router’s now',
      { o: overlay(1, { subnet: '10.9.0.0/24', gateway: '10.9.0.3' }) },
      some('w'),
      '10.9.0.3',
    ],
    [
      'the document gives it to another',
      { o: O },
      { ...some('w'), n: workload({ o: { address: '10.9.0.3' } }, 'n') },
      '10.9.0.3',
    ],
  ])('ends where %s', (_, networks, workloads, address) => {
    const result = of(networks, workloads, { leases: [lease('w', address)] });
    expect(stale(result)).toEqual([address]);
    const all = Object.values(addressesOf(result)).flat();
    expect(new Set(all).size).toBe(all.length);
  });

  test('of one family ends alone', () => {
    const held = [lease('w', '10.9.0.3'), lease('w', 'fd00:9::3')];
    const result = of({ o: O }, some('w'), { leases: held });
    expect(stale(result)).toEqual(['fd00:9::3']);
    expect(addressesOf(result)).toEqual({ w: ['10.9.0.3'] });
  });

  test('outlives a narrower range, and a peer that claims its address', () => {
    const narrow = overlay(1, { subnet: '10.9.0.0/24', range: '10.9.0.128/25' });
    const result = of({ o: narrow }, some('w'), { leases: [lease('w', '10.9.0.3')], remote: ['10.9.0.3'] });
    expect([addressesOf(result), stale(result)]).toEqual([{ w: ['10.9.0.3'] }, []]);
  });
});

describe('an attachment made on the spot', () => {
  test('counts beside the document, yields to it, and waits for its network', () => {
    const given = {
      attachments: [extra('x', 'o', '10.9.0.4'), extra('w', 'o', '10.9.0.4'), extra('x', 'later', '10.9.0.4')],
    };
    const result = of({ o: O }, { w: workload({ o: { address: '10.9.0.2' } }) }, given);
    expect(addressesOf(result)).toEqual({ w: ['10.9.0.2'], x: ['10.9.0.4'] });
    expect(result.desired.endpoints).toHaveLength(2);
  });
});
