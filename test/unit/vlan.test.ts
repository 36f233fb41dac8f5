import { describe, expect, test } from '@jest/globals';
import type { DesiredState } from '../../src/model/network.ts';
import { type Json, macvlan, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import { type Kernel, link } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';

const LINK = 'lsv-eth0.110';
const on = (vlan: number, rest: Json = {}): Json => macvlan({ subnet: '10.20.0.0/16', vlan, ...rest });
const WORKLOAD = { w: workload({ net: { address: '10.20.0.21' } }, 's1') };

const tagged = (kernel: Kernel): readonly string[] =>
  kernel.links.filter(({ kind }) => kind === 'vlan').map(({ name }) => name);

/** The network, and another on the same VLAN as Docker makes them: a document may have one for each. */
function shared(networks: readonly string[]): DesiredState {
  const {
    uplinks,
    networks: [network],
    endpoints,
  } = desired({ net: on(110) }, WORKLOAD);
  if (network === undefined) throw new Error('no network');
  return { uplinks, networks: networks.map((name) => ({ ...network, name })), endpoints };
}

describe('the link of a VLAN', () => {
  test('is made on the uplink, before the workload that hangs on it, with nothing of the host on it', () => {
    const kernel = newHost();
    const { steps } = look(kernel, desired({ net: on(110) }, WORKLOAD));
    expect(steps).toMatchObject([
      { kind: 'link.create', link: { name: LINK, kind: { type: 'vlan', parent: 'eth0', id: 110 }, addresses: [] } },
      { kind: 'endpoint.attach', spec: { attachment: { type: 'macvlan', parent: LINK, mode: 'bridge' }, mtu: 1500 } },
    ]);
    kernel.run(steps);
    expect(look(kernel, desired({ net: on(110) }, WORKLOAD)).steps).toEqual([]);
  });

  test('is one for all networks on it, stays with the last, and then goes', () => {
    const kernel = newHost();
    converge(kernel, shared(['net', 'docker-1']));
    expect(tagged(kernel)).toEqual([LINK]);
    const made = kernel.links.find(({ name }) => name === LINK)?.index;
    converge(kernel, { ...shared(['docker-1']), endpoints: [] });
    expect(kernel.links).toContainEqual(expect.objectContaining({ name: LINK, index: made }));
    converge(kernel, desired({}));
    expect(tagged(kernel)).toEqual([]);
  });

  test('that the host has already is used and left alone, whatever its name', () => {
    const own = link('plant110', 20, { kind: 'vlan', parent: 2, mtu: 1400, data: { id: 110, protocol: 0x8100 } });
    const kernel = newHost([own]);
    const { steps } = look(kernel, desired({ net: on(110) }, WORKLOAD));
    expect(steps).toMatchObject([{ kind: 'endpoint.attach', spec: { attachment: { parent: 'plant110' }, mtu: 1400 } }]);
    kernel.run(steps);
    converge(kernel, desired({}));
    expect(kernel.links).toContainEqual(own);
  });

  test.each([
    ['of another uplink', { parent: 3 }],
    ['of another number', { data: { id: 111, protocol: 0x8100 } }],
    ['of a provider’s tag', { data: { id: 110, protocol: 0x88a8 } }],
  ])('is made beside one %s', (_, over) => {
    const other = link('other', 20, { kind: 'vlan', parent: 2, data: { id: 110, protocol: 0x8100 }, ...over });
    const kernel = newHost([other]);
    converge(kernel, desired({ net: on(110) }, WORKLOAD));
    expect(tagged(kernel)).toEqual(['other', LINK]);
  });

  test.each([
    ['hangs on another interface', { parent: 3 }],
    ['has another number', { data: { id: 7, protocol: 0x8100 } }],
  ])('of ours that %s is made anew', (_, over) => {
    const kernel = newHost();
    converge(kernel, desired({ net: on(110) }));
    kernel.tamper(undefined, LINK, over);
    const { steps } = look(kernel, desired({ net: on(110) }));
    expect(steps).toMatchObject([{ kind: 'link.delete', name: LINK }, { kind: 'link.create' }]);
  });
});

test('a network that changes its VLAN keeps its workloads’ interfaces: they move before the old link goes', () => {
  const kernel = newHost();
  converge(kernel, desired({ net: on(110) }, WORKLOAD));
  const { steps } = look(kernel, desired({ net: on(120) }, WORKLOAD));
  expect(steps).toMatchObject([
    { kind: 'link.create', link: { name: 'lsv-eth0.120' } },
    { kind: 'endpoint.move', to: { parent: 'lsv-eth0.120' }, from: LINK },
  ]);
  converge(kernel, desired({ net: on(120) }, WORKLOAD));
  expect(tagged(kernel)).toEqual(['lsv-eth0.120']);
});
