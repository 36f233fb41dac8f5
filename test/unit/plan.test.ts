import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { canonicalState } from '../../src/datapath/state.ts';
import { NOTHING_DESIRED } from '../../src/model/network.ts';
import type { Observation } from '../../src/reconcile/observe.ts';
import { documents, FOREIGN, newHost, peers } from './support/hosts.ts';
import type { Kernel } from './support/kernel.ts';
import { converge, look } from './support/planning.ts';

const RUNS = { numRuns: 300, seed: 20_261_124 };

/** What stands, without what two ways to it may differ in: indexes and order. */
function shape(kernel: Kernel): unknown {
  const { links, fdb, routes, forwarding, sandboxes } = kernel.observe();
  const every = [...links, ...[...sandboxes.values()].flatMap((sandbox) => sandbox?.links ?? [])];
  const nameOf = new Map(every.map(({ index, name }) => [index, name]));
  const plain = (of: Observation['links']): unknown[] =>
    of
      .map(({ parent, ...link }) => ({
        ...link,
        index: 0,
        parent: nameOf.get(parent ?? 0),
        addresses: link.addresses.toSorted(),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  const rows = [...fdb]
    .filter(([, held]) => held.length > 0)
    .map(
      ([name, held]) =>
        `${name} ${held
          .map((row) => JSON.stringify(row))
          .sort()
          .join(' ')}`,
    );
  return {
    links: plain(links),
    inside: [...sandboxes].map(([path, sandbox]) => [path, plain(sandbox?.links ?? [])]),
    rows: rows.sort(),
    routes: routes.map((route) => JSON.stringify(route)).sort(),
    rules: kernel.memory,
    datapath: kernel.told?.networks.length ? canonicalState(kernel.told) : undefined,
    forwarding,
  };
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    for (const inner of Object.values(Object.freeze(value))) frozen(inner);
  }
  return value;
}

describe('a plan, whatever the documents and peers', () => {
  test('carried out, leaves nothing to do', () => {
    fc.assert(
      fc.property(documents, peers, fc.constantFrom('gw-a', 'g'.repeat(63)), (state, remotes, gateway) => {
        const kernel = newHost();
        kernel.run(look(kernel, state, remotes, gateway).steps);
        expect(look(kernel, state, remotes, gateway).steps).toEqual([]);
      }),
      RUNS,
    );
  });

  test('leads from every document to every other, and to the same as from nothing', () => {
    fc.assert(
      fc.property(documents, peers, documents, peers, (from, fromPeers, to, toPeers) => {
        const [travelled, fresh] = [newHost(), newHost()];
        converge(travelled, from, fromPeers);
        expect([...converge(travelled, to, toPeers).waiting]).toEqual([...converge(fresh, to, toPeers).waiting]);
        expect(shape(travelled)).toEqual(shape(fresh));
      }),
      RUNS,
    );
  });

  test('leads back to the host as it was', () => {
    fc.assert(
      fc.property(documents, peers, (state, remotes) => {
        const kernel = newHost();
        converge(kernel, state, remotes);
        converge(kernel, NOTHING_DESIRED, remotes);
        expect(shape(kernel)).toEqual(shape(newHost()));
      }),
      RUNS,
    );
  });

  test('is the same for the same input, which it does not change', () => {
    fc.assert(
      fc.property(documents, peers, documents, (from, remotes, to) => {
        const kernel = newHost();
        converge(kernel, from, remotes);
        const first = look(kernel, frozen(to), frozen(remotes));
        expect(look(kernel, to, remotes)).toEqual(first);
      }),
      RUNS,
    );
  });

  test('tears down nothing while the underlay is away, and needs nothing when it is back', () => {
    fc.assert(
      fc.property(documents, peers, (state, remotes) => {
        const kernel = newHost();
        converge(kernel, state, remotes);
        const { underlay } = kernel;
        kernel.underlay = undefined;
        // A stretched network's rules are about what leaves by the underlay, and come back before it does.
        const { steps } = look(kernel, state, remotes);
        expect(steps.filter(({ object }) => object !== 'host/bridge-firewall')).toEqual([]);
        kernel.underlay = underlay;
        expect(look(kernel, state, remotes).steps).toEqual([]);
      }),
      RUNS,
    );
  });

  test('tears down nothing while the datapath is away, and needs nothing when it is back', () => {
    fc.assert(
      fc.property(documents, peers, (state, remotes) => {
        const kernel = newHost();
        converge(kernel, state, remotes);
        kernel.datapathRuns = false;
        expect(look(kernel, state, remotes).steps).toEqual([]);
        kernel.datapathRuns = true;
        expect(look(kernel, state, remotes).steps).toEqual([]);
      }),
      RUNS,
    );
  });

  test('takes no workload off its network while the engine changes, on a kernel with vxlan or without', () => {
    fc.assert(
      fc.property(documents, peers, fc.boolean(), (state, remotes, vxlan) => {
        const kernel = newHost();
        kernel.preferred = 'kernel';
        converge(kernel, state, remotes);
        kernel.preferred = 'user';
        kernel.vxlan = vxlan;
        for (let view = look(kernel, state, remotes); view.steps.length > 0; view = look(kernel, state, remotes)) {
          expect(view.steps.map(({ kind }) => kind)).not.toContain('endpoint.detach');
          kernel.run(view.steps);
        }
      }),
      RUNS,
    );
  });

  test('leaves every interface of others as it is', () => {
    fc.assert(
      fc.property(documents, peers, documents, (from, remotes, to) => {
        const kernel = newHost();
        converge(kernel, from, remotes);
        converge(kernel, to, remotes);
        for (const foreign of FOREIGN) expect(kernel.links).toContain(foreign);
      }),
      RUNS,
    );
  });
});
