import { describe, expect, test } from '@jest/globals';
import { subnetProblems } from '../../src/control/views/subnets.ts';
import type { Remote } from '../../src/model/peer.ts';
import { Publisher } from '../../src/peers/publisher.ts';
import { parseRecord } from '../../src/peers/record.ts';
import { systemClock } from '../../src/service/clock.ts';
import { overlay } from './support/documents.ts';
import { desired } from './support/planning.ts';
import { vni } from './support/values.ts';

const VNI = vni(5);
const LINE = desired({ line: overlay(5, { subnet: '10.9.0.0/24', subnet6: 'fd00:9::/64' }) });

function problems(...sites: readonly (readonly string[])[]): string[] {
  const remotes = sites.map((prefixes, index): Remote => {
    const routes = prefixes.map((p) => ({ p }));
    return { gateway: `gw-${index}`, vtep: { ip: '198.51.100.2', port: 4789 }, macs: [], routes };
  });
  const found = subnetProblems({ desired: LINE }, new Map([[VNI, remotes]]));
  return [...found].map(([object, { path, message }]) => `${object} ${path} ${message}`);
}

describe('subnets of one VNI', () => {
  test.each([
    ['the same', ['10.9.0.0/24', 'fd00:9::/64']],
    ['the same, among others', ['10.8.0.0/24', '10.9.0.0/24']],
    ['one family only', ['fd00:9::/64']],
    ['none', []],
  ])('are right where the other site has %s', (_, prefixes) => {
    expect(problems(prefixes)).toEqual([]);
  });

  test.each([
    ['another', '10.10.0.0/24', 'subnet'],
    ['a larger one', '10.9.0.0/16', 'subnet'],
    ['another IPv6 one', 'fd00:10::/64', 'subnet6'],
  ])('are told of where the other site has %s', (_, prefix, field) => {
    const [problem, ...more] = problems(['10.9.0.0/24'], [prefix]);
    expect(problem).toMatch(new RegExp(`^network/line /spec/networks/line/${field} .*${prefix} at gateway gw-1`));
    expect(more).toEqual([]);
  });
});

const published = (routes: readonly { p: string }[]): string => {
  const publisher = new Publisher({ fleet: 'plant', gateway: 'gw-a', epoch: 1, clock: systemClock });
  const network = { vni: VNI, mtu: 1450, bum: 'replicate', macs: [], routes };
  return (
    publisher.update({ vteps: [{ ip: '192.0.2.1', port: 4789 }], networks: [network] })[0]?.payload.toString() ?? ''
  );
};
const read = (payload: string): unknown => {
  const parsed = parseRecord(Buffer.from(payload), { fleet: 'plant', vni: VNI, gw: 'gw-a' });
  return parsed.ok ? parsed.value.routes : 'refused';
};
const withRoutes = (routes: unknown): string => JSON.stringify({ ...(JSON.parse(published([])) as object), routes });

describe('a record', () => {
  test('says them, and has no such field where there are none', () => {
    expect(read(published([{ p: '10.9.0.0/24' }]))).toEqual([{ p: '10.9.0.0/24' }]);
    expect(published([])).not.toContain('routes');
  });

  test.each([
    [[{ p: '10.9.0.7/24' }], [{ p: '10.9.0.0/24' }]],
    [[{ p: 'FD00:9:0::/64', metric: 3 }], [{ p: 'fd00:9::/64' }]],
    [[], []],
    [{}, 'refused'],
    [['10.9.0.0/24'], 'refused'],
    [[{ p: '10.9.0.0' }], 'refused'],
    [[{ p: '10.9.0.0/33' }], 'refused'],
    [[{ p: `10.9.0.0/${'2'.repeat(99)}` }], 'refused'],
    [Array.from({ length: 65 }, () => ({ p: '10.9.0.0/24' })), 'refused'],
  ])('with %j is read as %j', (routes, expected) => {
    expect(read(withRoutes(routes))).toEqual(expected);
  });
});
