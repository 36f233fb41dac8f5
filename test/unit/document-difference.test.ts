import { describe, expect, test } from '@jest/globals';
import { type Change, documentChanges } from '../../src/document/index.ts';
import { bridge, document, documentOf, type Json, macvlan, overlay, parse, workload } from './support/documents.ts';

const changes = (before: Json, after: Json): readonly Change[] =>
  documentChanges(documentOf(parse(before)), documentOf(parse(after)));
const line = overlay(5, { subnet: '10.9.0.0/24' });

describe('two documents mean the same', () => {
  test.each<[string, Json, Json]>([
    [
      'under another version, with a confirmation',
      document({ line }),
      { ...document({ line }, {}, 9), confirm: { timeout_s: 5 } },
    ],
    [
      'with the defaults written out',
      document({ line }),
      document({
        line: {
          ...line,
          engine: 'auto',
          bum: 'replicate',
          internal: false,
          guards: { dhcp: 'block', profile: 'default' },
        },
      }),
    ],
    [
      'and so for the other drivers',
      document({ b: bridge('10.0.0.0/24'), m: macvlan({ mode: 'vepa' }) }),
      document({
        m: macvlan({ mode: 'vepa', shim: false }),
        b: bridge('10.0.0.0/24', { icc: true, masquerade: true }),
      }),
    ],
    [
      'in another spelling',
      document(
        { line: { ...line, subnet6: 'fd00:0::/64', peers: ['192.0.2.1', '192.0.2.2'] } },
        { w: workload({ line: { mac: '02:00:00:00:00:AA' } }) },
      ),
      document(
        { line: { ...line, subnet6: 'FD00::/64', peers: ['192.0.2.2', '192.0.2.1'] } },
        { w: workload({ line: { mac: '02:00:00:00:00:aa' } }) },
      ),
    ],
    [
      'with an interface’s name written out',
      document({ line }, { w: workload({ line: {} }) }),
      document({ line }, { w: workload({ line: { interface: 'eth0' } }) }),
    ],
  ])('%s', (_, before, after) => {
    expect(changes(before, after)).toEqual([]);
  });
});

test('what comes, goes and changes is told by its place', () => {
  const before = document({ line, old: bridge('10.0.0.0/24') }, { w: workload({ line: {} }) });
  const after = document(
    { line: { ...line, guards: { bumPps: 9 } }, m: macvlan() },
    { w: workload({ line: {}, m: {} }) },
  );
  expect(changes(before, after)).toEqual([
    { path: '/spec/networks/line/guards/bumPps', before: 200, after: 9 },
    {
      path: '/spec/networks/m',
      after: { driver: 'macvlan', uplink: 'lan', internal: false, mode: 'bridge', shim: true },
    },
    { path: '/spec/networks/old', before: expect.objectContaining({ driver: 'bridge', icc: true }) },
    { path: '/spec/workloads/w/networks/m', after: { interface: 'eth1' } },
  ]);
});

test('the order of a workload’s networks counts where it names the interfaces', () => {
  const other = bridge('10.0.0.0/24');
  const before = document({ line, other }, { w: workload({ line: {}, other: {} }) });
  const after = document({ line, other }, { w: workload({ other: {}, line: {} }) });
  expect(changes(before, after)).toEqual([
    { path: '/spec/workloads/w/networks/line/interface', before: 'eth0', after: 'eth1' },
    { path: '/spec/workloads/w/networks/other/interface', before: 'eth1', after: 'eth0' },
  ]);
});

test('all of a first document is new', () => {
  expect(documentChanges(undefined, documentOf(parse({ v: 1, version: 1, spec: { networks: { line } } })))).toEqual([
    { path: '/spec/networks/line', after: expect.objectContaining({ driver: 'overlay', vni: 5, engine: 'auto' }) },
  ]);
});
