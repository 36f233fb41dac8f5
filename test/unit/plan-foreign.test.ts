import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { linkName } from '../../src/drivers/naming.ts';
import type { ObservedLink } from '../../src/host/links.ts';
import type { Step } from '../../src/reconcile/plan.ts';
import { bridge, macvlan, overlay, workload } from './support/documents.ts';
import { documents, newHost, peers } from './support/hosts.ts';
import { link } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';
import { mac, vni } from './support/values.ts';

const RUNS = { numRuns: 300, seed: 20_261_124 };

/** The interfaces of the host, or of a sandbox, that a step changes. */
function touched(step: Step): readonly string[] {
  if (step.kind === 'link.create') return [step.link.name];
  if (step.kind === 'fdb.sync') return [step.device];
  if (step.kind === 'routes.sync') return [...step.add, ...step.remove].map(({ device }) => device);
  if (step.kind === 'firewall.apply') {
    // The guard names the host's own bridges, to leave what passes there alone.
    const rules = step.body.replaceAll(/(chain guard6? \{\n.*\n) {4}iifname \. oifname .* accept\n/g, '$1');
    return [...rules.matchAll(/"([^"]+)"/g)].map((match) => match[1] ?? '');
  }
  return 'name' in step ? [`${'sandbox' in step ? (step.sandbox ?? '') : ''}${step.name}`] : [];
}

const squatter = fc
  .tuple(
    fc.constantFrom('lsx', 'lsb', 'lss', 'lsp', 'lst'),
    fc.constantFrom('line1', 'line2', 'plant', 'plant2', 'cell', 'cell2', 'w0/cell', 'w0/line1', 'w1/cell2'),
    fc.constantFrom('vxlan', 'bridge', 'macvlan', 'veth', ''),
    fc.constantFrom(
      '',
      'linkspan:gw-a:network/line1/vxlan',
      'linkspan:gw-a:endpoint/w0/cell 10.9.0.5/24',
      '"\n; link del eth0',
    ),
  )
  .map(([prefix, name, kind, alias]) => ({
    name: linkName(prefix as 'lsx', name),
    kind,
    alias,
    data: { id: 77, port: 8472 },
  }));
const squatters: fc.Arbitrary<readonly ObservedLink[]> = fc
  .uniqueArray(squatter, { maxLength: 6, selector: ({ name }) => name })
  .map((all) => all.map(({ name, ...over }, n) => link(name, 20 + n, { ...over, up: false, mtu: 1400 })));

describe('what is not Linkspan’s', () => {
  test('is in no step, whatever its name, kind and alias', () => {
    fc.assert(
      fc.property(documents, peers, squatters, (state, remotes, foreign) => {
        const kernel = newHost(foreign);
        const names = new Set(foreign.map(({ name }) => name));
        const { steps } = look(kernel, state, remotes);
        expect(steps.flatMap((step) => touched(step)).filter((name) => names.has(name))).toEqual([]);
      }),
      RUNS,
    );
  });

  test('in a sandbox is in no step, even with an alias like ours', () => {
    const aliases = [
      '',
      'linkspan:gw-a:endpoint/w0/cell',
      'linkspan:gw-a:endpoint/gone/line1 10.9.0.5/24,via 10.9.0.1',
    ];
    fc.assert(
      fc.property(
        documents,
        peers,
        fc.constantFrom('eth0', 'eth1', 'wan'),
        fc.constantFrom(...aliases),
        (state, remotes, name, alias) => {
          const kernel = newHost([], [link(name, 70, { alias, up: false })]);
          const foreign = new Set(['s1', 's2', 's3'].map((sandbox) => `/run/netns/${sandbox}${name}`));
          const { steps } = look(kernel, state, remotes);
          expect(steps.flatMap((step) => touched(step)).filter((place) => foreign.has(place))).toEqual([]);
        },
      ),
      RUNS,
    );
  });
});

describe('a network whose link’s name is a foreign link’s', () => {
  const remotes = new Map([
    [
      vni(5),
      [
        {
          gateway: 'gw-b',
          vtep: { ip: '192.0.2.2', port: 4789 },
          macs: [{ m: mac('02:00:00:00:00:01'), ip: [], q: 0, s: 1 as const }],
        },
      ],
    ],
  ]);
  test.each([
    ['a vxlan device', 'lsx-net', overlay(5)],
    ['a bridge', 'lsb-net', bridge('10.9.0.0/24')],
    ['a shim', 'lss-net', macvlan({ subnet: '10.20.0.0/16', range: '10.20.8.0/24' })],
  ])('waits as a whole, and says for what: %s', (_, name, network) => {
    const kernel = newHost([link(name, 20, { kind: 'vxlan', data: { id: 9, port: 1 } })]);
    const view = look(kernel, desired({ net: network }, { w: workload({ net: {} }, 's1') }), remotes);
    expect(view.steps).toEqual([]);
    expect(view.waiting.get('network/net')).toMatchObject({ path: '/spec/networks/net', code: 'name_taken' });
    expect(view.waiting.get('network/net')?.message).toContain(`${name} exists already`);
  });

  test('comes to stand once that link is gone, and the others never waited', () => {
    const kernel = newHost([link('lsb-net', 20, { kind: 'bridge' })]);
    const wanted = desired(
      { net: bridge('10.9.0.0/24'), other: overlay(5) },
      { w: workload({ net: {}, other: {} }, 's1') },
    );
    expect([...converge(kernel, wanted, remotes).waiting.keys()]).toEqual(['network/net']);
    expect(kernel.links.map(({ name }) => name)).toContain('lsx-other');
    kernel.links = kernel.links.filter(({ index }) => index !== 20);
    expect([...converge(kernel, wanted, remotes).waiting]).toEqual([]);
    expect(
      kernel
        .observe()
        .sandboxes.get('/run/netns/s1')
        ?.links.map(({ name }) => name),
    ).toEqual(['lo', 'tun0', 'eth1', 'eth0']);
  });

  test('a host end that is not ours is left alone', () => {
    const kernel = newHost();
    const wanted = desired({ net: bridge('10.9.0.0/24') }, { w: workload({ net: {} }, 's1') });
    converge(kernel, wanted);
    kernel.tamper(undefined, linkName('lsp', 'w/net'), { ours: false, master: 'docker0' });
    expect(look(kernel, wanted).steps).toEqual([]);
  });
});
