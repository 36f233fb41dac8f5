import { describe, expect, test } from '@jest/globals';
import { bridge, macvlan, overlay, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import { link } from './support/kernel.ts';
import { desired, intentOf } from './support/planning.ts';
import { mac, vni } from './support/values.ts';

const macOf = (mode: string): unknown => {
  const state = desired({ m: macvlan({ mode }) }, { w: workload({ m: { mac: '02:00:00:00:00:09' } }) });
  return intentOf(newHost(), state, new Map()).endpoints[0]?.mac;
};

describe('an intent', () => {
  test('holds the answer of every driver, and each network’s own peers only', () => {
    const remote = {
      gateway: 'gw-b',
      vtep: { ip: '192.0.2.2', port: 4789 },
      macs: [{ m: mac('02:00:00:00:00:01'), ip: [], q: 0, s: 1 as const }],
    };
    const state = desired(
      { a: overlay(1), b: overlay(2), cell: bridge('172.30.0.0/24') },
      { w: workload({ a: {}, cell: {} }) },
    );
    const intent = intentOf(newHost(), state, new Map([[vni(2), [remote]]]));
    expect(intent.links.map(({ name }) => name)).toEqual(['lsx-a', 'lsx-b', 'lsb-cell']);
    expect([...intent.fdb.keys()]).toEqual(['lsx-b']);
    expect(intent.endpoints.map(({ object, alias }) => `${object} ${alias}`)).toEqual([
      'endpoint/w/a linkspan:gw-a:endpoint/w/a',
      'endpoint/w/cell linkspan:gw-a:endpoint/w/cell',
    ]);
    expect(intent.nat.forwarding[4]).toEqual(expect.arrayContaining(['lsb-cell', 'eth0']));
  });

  test('sets the MAC of every workload but one that holds its parent whole', () => {
    expect([macOf('bridge'), macOf('passthru')]).toEqual(['02:00:00:00:00:09', undefined]);
  });

  test('gives a workload only the router that it can reach by its own addresses', () => {
    const cell = bridge('172.30.0.0/24', { subnet6: 'fd00:30::/64' });
    const gatewaysOf = (at: object): unknown =>
      intentOf(newHost(), desired({ cell }, { w: workload({ cell: at }) }), new Map()).endpoints[0]?.gateways;
    expect(gatewaysOf({ address6: 'fd00:30::21' })).toEqual(['fd00:30::1']);
    expect(gatewaysOf({ address: '172.30.0.21' })).toEqual(['172.30.0.1']);
    expect(gatewaysOf({})).toEqual(['172.30.0.1', 'fd00:30::1']);
  });

  test('a network that waits takes its endpoints along, and nobody else’s', () => {
    const state = desired({ m: macvlan(), o: overlay(1) }, { w: workload({ m: {}, o: {} }) });
    const kernel = newHost();
    kernel.links = [link('lo', 1)];
    const intent = intentOf(kernel, state, new Map());
    expect([...intent.waiting.keys()]).toEqual(['network/m']);
    expect(intent.endpoints.map(({ object }) => object)).toEqual(['endpoint/w/o']);
  });
});
