import { describe, expect, test } from '@jest/globals';
import type { ObservedLink } from '../../src/host/links.ts';
import { isSite } from '../../src/model/network.ts';
import { type Json, macvlan, overlay, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import { type Kernel, link } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';

const OUTER = 'lso-eth0.20';
const INNER = 'lsq-eth0.20.110';
const on = (vlan: number, outerVlan = 20, rest: Json = {}): Json =>
  macvlan({ subnet: '10.20.0.0/16', vlan, outerVlan, ...rest });
const WORKLOAD = { w: workload({ net: { address: '10.20.0.21' } }, 's1') };

const own = (name: string, index: number, parent: number, data: ObservedLink['data']): ObservedLink =>
  link(name, index, { kind: 'vlan', parent, data });
const SERVICE = { id: 20, protocol: 0x88a8 };
const CUSTOMER = { id: 110, protocol: 0x8100 };

const tagged = (kernel: Kernel): readonly string[] =>
  kernel.links.filter(({ kind }) => kind === 'vlan').map(({ name }) => name);

describe('a VLAN inside a service provider’s', () => {
  test('has a link for each tag, one on the other, and the workload on the inner', () => {
    const kernel = newHost();
    const { steps } = look(kernel, desired({ net: on(110) }, WORKLOAD));
    expect(steps).toMatchObject([
      { link: { name: OUTER, kind: { type: 'vlan', parent: 'eth0', protocol: '802.1ad', id: 20 }, mtu: 1500 } },
      { link: { name: INNER, kind: { type: 'vlan', parent: OUTER, protocol: '802.1Q', id: 110 }, mtu: 1500 } },
      { kind: 'endpoint.attach', spec: { attachment: { type: 'macvlan', parent: INNER }, mtu: 1500 } },
    ]);
    kernel.run(steps);
    expect(look(kernel, desired({ net: on(110) }, WORKLOAD)).steps).toEqual([]);
    converge(kernel, desired({}));
    expect(tagged(kernel)).toEqual([]);
  });

  test('shares the outer link with all that are inside the same, which goes with the last of them', () => {
    const kernel = newHost();
    const line = overlay(5, { subnet: '10.30.0.0/16', stretch: { uplink: 'lan', vlan: 130, outerVlan: 20 } });
    const both = { net: on(110), other: on(120, 20, { subnet: '10.21.0.0/16' }), line };
    // One look is enough: the shared link comes before all that hang on it.
    kernel.run(look(kernel, desired(both, WORKLOAD)).steps);
    expect(tagged(kernel)).toEqual([OUTER, INNER, 'lsq-eth0.20.120', 'lsq-eth0.20.130']);
    const { index } = kernel.links.find(({ name }) => name === OUTER) ?? {};
    converge(kernel, desired({ line }));
    expect(tagged(kernel)).toEqual([OUTER, 'lsq-eth0.20.130']);
    expect(kernel.links).toContainEqual(expect.objectContaining({ name: OUTER, index }));
    converge(kernel, desired({}));
    expect(tagged(kernel)).toEqual([]);
  });

  test('is another than the same numbers without, or the other way round', () => {
    const kernel = newHost();
    const networks = {
      a: macvlan({ vlan: 20 }),
      b: macvlan({ vlan: 110 }),
      c: on(110),
      d: on(20, 110, { subnet: '10.21.0.0/16' }),
    };
    converge(kernel, desired(networks));
    expect(tagged(kernel).toSorted()).toEqual(
      ['lsv-eth0.20', 'lsv-eth0.110', OUTER, INNER, 'lso-eth0.110', 'lsq-eth0.110.20'].toSorted(),
    );
  });

  test.each<[string, readonly ObservedLink[], readonly string[], string]>([
    ['both links', [own('s', 20, 2, SERVICE), own('c', 21, 20, CUSTOMER)], [], 'c'],
    ['the outer link', [own('s', 20, 2, SERVICE)], [INNER], INNER],
    [
      'an inner link of the wrong tag',
      [own('s', 20, 2, SERVICE), own('c', 21, 20, { ...CUSTOMER, protocol: 0x88a8 })],
      [INNER],
      INNER,
    ],
    ['a link of the number, not the tag', [own('s', 20, 2, { ...SERVICE, protocol: 0x8100 })], [OUTER, INNER], INNER],
  ])('takes what the host has of it, and leaves it: %s', (_, extra, made, parent) => {
    const kernel = newHost(extra);
    const { steps } = look(kernel, desired({ net: on(110) }, WORKLOAD));
    expect(steps.flatMap((step) => (step.kind === 'link.create' ? [step.link.name] : []))).toEqual(made);
    expect(steps.at(-1)).toMatchObject({ kind: 'endpoint.attach', spec: { attachment: { parent } } });
    kernel.run(steps);
    converge(kernel, desired({}));
    expect(kernel.links).toEqual(newHost(extra).links);
  });

  test('on a link of ours that the host has put its own on, uses that and keeps ours under it', () => {
    const kernel = newHost();
    converge(kernel, desired({ net: on(120) }));
    const outer = kernel.links.find(({ name }) => name === OUTER)?.index ?? 0;
    kernel.links = [...kernel.links, own('c', 90, outer, CUSTOMER)];
    converge(kernel, desired({ net: on(110) }, WORKLOAD));
    expect(tagged(kernel)).toEqual([OUTER, 'c']);
  });

  test('of the wrong tag, under our name, is made anew', () => {
    const kernel = newHost();
    converge(kernel, desired({ net: on(110) }));
    kernel.tamper(undefined, OUTER, { data: { id: 20, protocol: 0x8100 } });
    const { steps } = look(kernel, desired({ net: on(110) }));
    expect(steps[0]).toMatchObject({
      kind: 'link.delete',
      name: OUTER,
      reason: 'has another tag than that of 802.1ad',
    });
    converge(kernel, desired({ net: on(110) }));
    expect(tagged(kernel)).toEqual([OUTER, INNER]);
  });

  test('may be on an uplink that is a VLAN’s link itself', () => {
    const kernel = newHost([own('eth0.20', 20, 2, { id: 20, protocol: 0x8100 })]);
    const state = desired({ a: on(110), b: macvlan({ vlan: 110 }) });
    const uplink = { name: 'eth0.20', interface: 'eth0.20' };
    const networks = state.networks.map((one) => (one.name === 'b' && isSite(one) ? { ...one, uplink } : one));
    converge(kernel, { ...state, networks });
    expect(tagged(kernel)).toEqual(['eth0.20', OUTER, INNER, expect.stringMatching(/^lsv-eth0\./)]);
  });
});

test('a network that changes its outer VLAN keeps its workloads’ interfaces: both old links stay until they have moved', () => {
  const kernel = newHost();
  converge(kernel, desired({ net: on(110) }, WORKLOAD));
  const { steps } = look(kernel, desired({ net: on(110, 21) }, WORKLOAD));
  expect(steps).toMatchObject([
    { kind: 'link.create', link: { name: 'lso-eth0.21' } },
    { kind: 'link.create', link: { name: 'lsq-eth0.21.110' } },
    { kind: 'endpoint.move', to: { parent: 'lsq-eth0.21.110' }, from: INNER },
  ]);
  converge(kernel, desired({ net: on(110, 21) }, WORKLOAD));
  expect(tagged(kernel)).toEqual(['lso-eth0.21', 'lsq-eth0.21.110']);
});

test('a network that waits keeps the outer link under its own, whichever network that was made for', () => {
  const kernel = newHost();
  const net = on(110);
  converge(kernel, desired({ another: on(120, 20, { subnet: '10.21.0.0/16' }), net }, WORKLOAD));
  kernel.tamper(undefined, INNER, { master: 'docker0' });
  const { waiting } = converge(kernel, desired({ net }, WORKLOAD));
  expect(waiting.get('network/net')?.code).toBe('parent_busy');
  expect(tagged(kernel)).toEqual([OUTER, INNER]);
});

test('on MACsec, whose MTU counts the tags, each takes its four bytes', () => {
  const kernel = newHost();
  kernel.tamper(undefined, 'eth0', { kind: 'macsec', mtu: 1468 });
  converge(kernel, desired({ net: on(110), plain: macvlan({ vlan: 30 }) }, WORKLOAD));
  const mtuOf = (wanted: string): number | undefined => kernel.links.find(({ name }) => name === wanted)?.mtu;
  expect([mtuOf(OUTER), mtuOf(INNER), mtuOf('lsv-eth0.30')]).toEqual([1464, 1460, 1464]);
});
