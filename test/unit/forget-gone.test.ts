import { expect, test } from '@jest/globals';
import { forgetGone } from '../../src/reconcile/forget-gone.ts';
import { bridge, workload } from './support/documents.ts';
import { desired } from './support/planning.ts';

test('an interface is forgotten once nobody wants it and its sandbox is gone, and not before', () => {
  const [gone, here] = ['/nowhere/s1', '/proc/self/ns/net'];
  let rows = [
    { workload: 'w', network: 'cell', sandbox: gone },
    { workload: 'old', network: 'cell', sandbox: here },
    { workload: 'old', network: 'past', sandbox: gone },
  ];
  const state = desired({ cell: bridge('172.30.0.0/24') }, { w: workload({ cell: {} }, 's1') });
  forgetGone(
    { desired: state },
    {
      list: () => rows,
      remove: (name, network) => {
        rows = rows.filter((row) => row.workload !== name || row.network !== network);
      },
    },
  );
  expect(rows.map(({ workload: name, network }) => `${name}/${network}`)).toEqual(['w/cell', 'old/cell']);
});
