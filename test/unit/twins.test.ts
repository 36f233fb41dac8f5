import { describe, expect, test } from '@jest/globals';
import type { DesiredState } from '../../src/model/network.ts';
import { type Json, macvlan, overlay, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import type { Kernel } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';

const PLANT = macvlan({ subnet: '10.20.0.0/16', subnet6: 'fd00:20::/64' });
const NETWORKS = {
  p: PLANT,
  q: PLANT,
  far: { ...PLANT, uplink: 'lan2', subnet: '10.30.0.0/16', subnet6: 'fd00:30::/64' },
};
const own = (n: number, rest: Json = {}): Json => ({ address: `10.20.1.${n}`, mac: `02:00:00:00:00:1${n}`, ...rest });
const on = (name: string, network: string, wanted: Json, netns: string): DesiredState =>
  desired(NETWORKS, { [name]: workload({ [network]: wanted }, netns) });

/** Two wishes as they come together: each was checked alone, the document's or one made on the spot. */
const both = (first: DesiredState, second: DesiredState): DesiredState => ({
  ...first,
  endpoints: [...first.endpoints, ...second.endpoints],
});
const waiting = (kernel: Kernel, state: DesiredState): string[] =>
  [...look(kernel, state).waiting].map(([object, { code, path }]) => `${object} ${code} ${path.split('/').at(-1)}`);

/** Of the workloads alone: the shim follows the wishes. */
const steps = (kernel: Kernel, state: DesiredState): string[] =>
  look(kernel, state)
    .steps.filter(({ object }) => object.startsWith('endpoint/'))
    .map(({ kind, object }) => `${kind} ${object}`);

describe('two endpoints of one gateway', () => {
  test.each([
    ['a MAC', own(2, { mac: '02:00:00:00:00:11' }), 'duplicate_mac mac'],
    ['an address', own(2, { address: '10.20.1.1' }), 'duplicate_address address'],
    ['an IPv6 address', own(2, { address6: 'fd00:20::1' }), 'duplicate_address address6'],
  ])('cannot both have %s, on one network or on two of one uplink', (_, wanted, problem) => {
    const first = on('a', 'p', own(1, { address6: 'fd00:20::1' }), 's1');
    for (const network of ['p', 'q']) {
      const state = both(first, on('b', network, wanted, 's2'));
      const kernel = newHost();
      expect(converge(kernel, state).waiting.get(`endpoint/b/${network}`)?.message).toContain(
        "a's on p, on the same wire",
      );
      expect(waiting(kernel, state)).toEqual([`endpoint/b/${network} ${problem}`]);
    }
  });

  test('whoever has it keeps it, in whatever order they are wished for', () => {
    const [a, b] = [on('a', 'p', own(1), 's1'), on('b', 'q', own(1, { mac: '02:00:00:00:00:12' }), 's2')];
    const kernel = newHost();
    converge(kernel, b);
    expect(waiting(kernel, both(a, b))).toEqual(['endpoint/a/p duplicate_address address']);
    expect(steps(kernel, both(a, b))).toEqual([]);
    // The host's way to it is one, though both networks have a shim.
    expect(look(kernel, both(a, b)).intent.routes.map(({ to }) => to)).toEqual(['10.20.1.1']);
    // Nor does one that is attached take it by a change.
    const other = on('a', 'p', own(3), 's1');
    converge(kernel, both(other, b));
    expect(steps(kernel, both(a, b))).toEqual([]);
    expect(waiting(kernel, both(a, b))).toEqual(['endpoint/a/p duplicate_address address']);
    // It is given once it is free.
    converge(kernel, a);
    expect(waiting(kernel, a)).toEqual([]);
  });

  test('may have the same on two wires, and exchange what they have', () => {
    const overlays = { o: overlay(5, { subnet: '10.1.0.0/24' }), u: overlay(6, { subnet: '10.2.0.0/24' }) };
    const mac = { mac: '02:00:00:00:00:11' };
    const state = desired(
      { ...NETWORKS, ...overlays },
      {
        a: workload({ p: own(1), o: mac }, 's1'),
        b: workload({ far: { ...mac, address: '10.30.1.1' }, u: mac }, 's2'),
      },
    );
    expect(converge(newHost(), state).waiting.size).toBe(0);
    const kernel = newHost();
    converge(kernel, both(on('a', 'p', own(1), 's1'), on('b', 'p', own(2), 's2')));
    const exchanged = both(on('a', 'p', own(2), 's1'), on('b', 'p', own(1), 's2'));
    expect(waiting(kernel, exchanged)).toEqual([]);
    converge(kernel, exchanged);
    expect(waiting(kernel, exchanged)).toEqual([]);
  });
});
