import { describe, expect, test } from '@jest/globals';
import type { ObservedLink } from '../../src/host/links.ts';
import type { DesiredState } from '../../src/model/network.ts';
import type { CycleView } from '../../src/reconcile/cycle.ts';
import { uplinkProblems, uplinkStatuses } from '../../src/status/uplinks.ts';
import { type Json, macvlan, overlay, parse, problemsOf, workload } from './support/documents.ts';
import { documentOf } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import { type Kernel, link } from './support/kernel.ts';
import { converge } from './support/planning.ts';

const PLANT = macvlan({ subnet: '10.20.0.0/16', range: '10.20.8.0/24' });
const PLANT2 = macvlan({ subnet: '10.20.0.0/16', range: '10.20.9.0/24' });
const own = (n: number): Json => ({ mac: `02:00:00:00:00:1${n}`, address: `10.20.1.${n}` });

const document = (networks: Json, workloads: Json, macLimit?: unknown): Json => {
  const lan = { interface: 'eth0', ...(macLimit !== undefined && { macLimit }) };
  return { v: 1, version: 1, spec: { uplinks: { lan }, networks, workloads } };
};
const stateOf = (...wanted: Parameters<typeof document>): DesiredState => documentOf(parse(document(...wanted))).state;

function viewOf(kernel: Kernel, state: DesiredState): CycleView {
  const { intent } = converge(kernel, state);
  const view = { document: state, complete: true, desired: state, intent, seen: kernel.observe(), steps: [] };
  return { ...view, problems: uplinkProblems(view) };
}

const MAC = { eth0: '02:aa:00:00:00:01' };
const host = (...more: readonly ObservedLink[]): Kernel => {
  const kernel = newHost(more);
  kernel.tamper(undefined, 'eth0', { mac: MAC.eth0 });
  return kernel;
};

const macsOf = (kernel: Kernel, state: DesiredState): number | undefined =>
  uplinkStatuses(viewOf(kernel, state))[0]?.macs;

describe('the MACs that a switch port sees', () => {
  test('are the gateway’s own, the shim’s and each workload’s; networks on one uplink add up', () => {
    const workloads = { a: workload({ p: own(1) }, 's1'), b: workload({ p: own(2), q: own(3) }, 's2') };
    const kernel = host();
    const state = stateOf({ p: PLANT, q: { ...PLANT2, shim: false } }, workloads);
    const view = viewOf(kernel, state);
    // The fake gives every link that is made in the host one MAC: the shim's.
    expect(view.seen.links.filter(({ name }) => name.startsWith('lss-'))).toHaveLength(1);
    expect(uplinkStatuses(view)).toEqual([
      { name: 'lan', interface: 'eth0', macs: 5, mac_limit: null, promiscuous: false, wifi: null, problem: null },
    ]);
  });

  test('are none but the parent’s where a workload takes it whole', () => {
    const kernel = host();
    const state = stateOf(
      { p: macvlan({ mode: 'passthru', subnet: '10.20.0.0/16' }) },
      { a: workload({ p: own(1) }, 's1') },
    );
    viewOf(kernel, state);
    kernel.tamper('/run/netns/s1', 'eth0', { mac: MAC.eth0 });
    expect(macsOf(kernel, state)).toBe(1);
  });

  test('are those of a foreign child and of a VLAN on the same port too, and of no other port', () => {
    const kernel = host(
      link('mv0', 30, { kind: 'macvlan', parent: 2, mac: '02:aa:00:00:00:02' }),
      link('eth0.5', 31, { kind: 'vlan', parent: 2, mac: MAC.eth0 }),
      link('mv5', 32, { kind: 'macvlan', parent: 31, mac: '02:aa:00:00:00:03' }),
      link('mv1', 33, { kind: 'macvlan', parent: 3, mac: '02:aa:00:00:00:04' }),
      // A veth's "parent" is its peer, and this one's parent is another namespace's link of the same number.
      link('veth0', 34, { kind: 'veth', parent: 2, mac: '02:aa:00:00:00:05' }),
      link('mv2', 35, { kind: 'macvlan', parent: 2, parentElsewhere: true, mac: '02:aa:00:00:00:06' }),
    );
    expect(macsOf(kernel, stateOf({ p: PLANT }, {}))).toBe(3);
    // A network on the VLAN is behind the same port.
    const onVlan: DesiredState = {
      uplinks: [],
      networks: [
        {
          name: 'docker-1',
          driver: 'macvlan',
          uplink: { name: 'eth0.5', interface: 'eth0.5' },
          mode: 'bridge',
          shim: false,
          subnets: [],
          gateways: [],
        },
      ],
      endpoints: [],
    };
    expect(uplinkStatuses(viewOf(kernel, onVlan))).toMatchObject([{ name: 'eth0.5', macs: 3, mac_limit: null }]);
  });

  test('are those of workloads and of other sites, where a VLAN of it is stretched; devices here are the port’s other side', () => {
    const kernel = host();
    const line = overlay(7, { subnet: '10.20.0.0/16', stretch: { uplink: 'lan', vlan: 5 } });
    const state = stateOf({ line }, { a: workload({ line: own(1) }, 's1') });
    const before = macsOf(kernel, state) ?? 0;
    kernel.bridges.learn('lsb-line', '02:bb:00:00:00:01', 'lsx-line');
    kernel.bridges.learn('lsb-line', '02:bb:00:00:00:02', 'lsv-eth0.5');
    expect(macsOf(kernel, state)).toBe(before + 1);
    expect(macsOf(kernel, stateOf({ line }, {}))).toBe(before);
  });

  test('are 0 while the interface is gone', () => {
    const kernel = host();
    const state = stateOf({ p: PLANT }, {}, 1);
    kernel.links = kernel.links.filter(({ name }) => name !== 'eth0');
    expect(uplinkStatuses({ ...viewOf(kernel, state) })).toMatchObject([{ macs: 0, mac_limit: 1, problem: null }]);
  });
});

describe('a limit', () => {
  const workloads = { a: workload({ p: own(1) }, 's1'), b: workload({ p: own(2) }, 's2') };

  test('is warned about above it and not at it, with the count, the limit and what to do', () => {
    const at = viewOf(host(), stateOf({ p: PLANT }, workloads, 4));
    expect(at.problems.size).toBe(0);
    const above = viewOf(host(), stateOf({ p: PLANT }, workloads, 3));
    const [[object, problem] = []] = [...above.problems];
    expect(object).toBe('uplink/eth0');
    expect(problem).toMatchObject({ path: '/spec/uplinks/lan/macLimit', code: 'mac_limit' });
    expect(problem?.message).toBe(
      'uplink lan: the switch port behind eth0 sees 4 MACs and allows 3; raise the port\'s limit and then "macLimit", or move workloads to a bridge or overlay network',
    );
    expect(uplinkStatuses(above)).toEqual([
      {
        name: 'lan',
        interface: 'eth0',
        macs: 4,
        mac_limit: 3,
        promiscuous: false,
        wifi: null,
        problem: problem?.message,
      },
    ]);
  });

  test('of the document’s uplink holds for a network that Docker made on the same interface', () => {
    const state = stateOf({}, {}, 1);
    const [network] = stateOf({ p: PLANT }, {}).networks;
    const made =
      network?.driver === 'macvlan' ? { ...network, uplink: { name: 'eth0', interface: 'eth0' } } : undefined;
    const kernel = host(link('mv0', 30, { kind: 'macvlan', parent: 2, mac: '02:aa:00:00:00:02' }));
    const view = viewOf(kernel, { ...state, networks: made ? [made] : [] });
    expect(uplinkStatuses(view)).toMatchObject([{ name: 'lan', macs: 2, mac_limit: 1, problem: expect.any(String) }]);
  });

  test.each([0, 1025, 1.5, '8'])('may not be %p', (limit) => {
    expect(problemsOf(parse(document({}, {}, limit)))).toEqual(['schema /spec/uplinks/lan/macLimit']);
  });
});
