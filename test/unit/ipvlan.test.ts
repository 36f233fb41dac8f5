import { describe, expect, test } from '@jest/globals';
import { ipvlan, type Json, macvlan, workload } from './support/documents.ts';
import { FOREIGN, newHost } from './support/hosts.ts';
import { type Kernel, link } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';

const PARENT = '02:00:00:00:00:02';
const net = (rest: Json = {}): Json => ipvlan({ subnet: '10.20.0.0/16', subnet6: 'fd00:20::/64', ...rest });
const AT = { address: '10.20.0.21', address6: 'fd00:20::21' };
const WORKLOAD = { w: workload({ net: AT }, 's1') };

/** eth0 with a MAC that tells it from its children's. */
function host(extra: Parameters<typeof newHost>[0] = []): Kernel {
  const kernel = newHost(extra);
  kernel.links = kernel.links.map((one) => (one.name === 'eth0' ? { ...one, mac: PARENT } : one));
  return kernel;
}

const inside = (kernel: Kernel): readonly string[] =>
  kernel
    .observe()
    .sandboxes.get('/run/netns/s1')
    ?.links.filter(({ ours }) => ours)
    .map(({ kind, data, mac }) => `${kind} ${String(data.mode)} ${mac}`) ?? [];

describe('a workload on ipvlan', () => {
  test('has its parent’s MAC, which is what the wire is told of it', () => {
    const { steps } = look(host(), desired({ net: net() }, WORKLOAD));
    const attach = steps.find(({ kind }) => kind === 'endpoint.attach');
    expect(attach).toMatchObject({
      spec: { attachment: { type: 'ipvlan', parent: 'eth0', mode: 'l2' }, mac: undefined, seenMac: PARENT },
    });
  });

  test.each([
    ['l2', { gateway: '10.20.0.1' }, ['10.20.0.1']],
    ['l2', {}, []],
    ['l3', {}, ['0.0.0.0', '::']],
    ['l3s', {}, ['0.0.0.0', '::']],
    ['l3', { internal: true }, []],
  ])('in mode %s with %j leaves by %j', (mode, rest, gateways) => {
    const { steps } = look(host(), desired({ net: net({ mode, ...rest }) }, WORKLOAD));
    expect(steps.find(({ kind }) => kind === 'endpoint.attach')).toMatchObject({ spec: { gateways } });
  });

  test('stands, is left alone, changes its mode and its driver, and goes', () => {
    const kernel = host();
    for (const [raw, is] of [
      [net(), 'ipvlan l2 02:ff:00:00:00:02'],
      [net({ mode: 'l3' }), 'ipvlan l3 02:ff:00:00:00:02'],
      [macvlan({ subnet: '10.20.0.0/16', subnet6: 'fd00:20::/64' }), 'macvlan bridge'],
      [net({ mode: 'l3s' }), 'ipvlan l3s 02:ff:00:00:00:02'],
    ] as const) {
      converge(kernel, desired({ net: raw }, WORKLOAD));
      expect(inside(kernel)).toEqual([expect.stringContaining(is)]);
      expect(look(kernel, desired({ net: raw }, WORKLOAD)).steps).toEqual([]);
    }
    converge(kernel, desired({}));
    expect(inside(kernel)).toEqual([]);
    expect(kernel.links.filter(({ ours }) => ours)).toEqual([]);
  });
});

/** Both ways to the workload, by that neighbour. */
const to = (neighbour: string): object => ({
  kind: 'routes.sync',
  add: [
    { to: '10.20.0.21', device: 'lss-net', source: '10.20.0.5', neighbour },
    { to: 'fd00:20::21', device: 'lss-net', source: 'fd00:20::5', neighbour },
  ],
});

describe('the host’s shim', () => {
  test('in l2: has no address, and the host is told each workload’s MAC, the parent’s, anew when that changes', () => {
    const kernel = host();
    const { steps } = look(kernel, desired({ net: net() }, WORKLOAD));
    const shim = { name: 'lss-net', kind: { type: 'ipvlan', parent: 'eth0', mode: 'l2' }, addresses: [] };
    expect(steps[0]).toMatchObject({ kind: 'link.create', link: shim });
    expect(steps[1]).toMatchObject(to(PARENT));
    kernel.run(steps);
    const other = '02:00:00:00:00:99';
    kernel.links = kernel.links.map((one) => (one.name === 'eth0' ? { ...one, mac: other } : one));
    expect(look(kernel, desired({ net: net() }, WORKLOAD)).steps).toMatchObject([to(other)]);
  });

  test('in l3: asks nobody, and bears an address of the uplink, whose subnet is another', () => {
    const own = ipvlan({ mode: 'l3', subnet: '10.77.0.0/24' });
    const { steps } = look(host(), desired({ net: own }, { w: workload({ net: { address: '10.77.0.21' } }, 's1') }));
    expect(steps[1]).toEqual({
      kind: 'routes.sync',
      object: 'host/routes',
      add: [{ to: '10.77.0.21', device: 'lss-net', source: '192.0.2.1' }],
      remove: [],
    });
  });

  test('is not made where nobody wants it', () => {
    const { steps } = look(host(), desired({ net: net({ shim: false }) }, WORKLOAD));
    expect(steps.map(({ kind }) => kind)).toEqual(['endpoint.attach']);
  });
});

describe('a parent that carries', () => {
  const eth0 = FOREIGN.find(({ name }) => name === 'eth0');
  const child = (kind: string, mode: string): ReturnType<typeof link> =>
    link('vm0', 20, { kind, parent: eth0?.index ?? 0, data: { mode } });

  test.each([
    ['another’s macvlan', child('macvlan', 'bridge'), net(), 'carries vm0, which is macvlan, and can have no ipvlan'],
    ['another’s ipvlan', child('ipvlan', 'l2'), macvlan(), 'carries vm0, which is ipvlan, and can have no macvlan'],
    ['another’s passthru', child('macvlan', 'passthru'), net(), 'is taken whole by vm0'],
  ])('%s is busy, and who it is is said', (_, foreign, raw, why) => {
    const { steps, waiting } = look(host([foreign]), desired({ net: raw }));
    expect(steps).toEqual([]);
    expect(waiting.get('network/net')?.code).toBe('parent_busy');
    expect(waiting.get('network/net')?.message).toContain(why);
  });
});

/** eth0 is a station; `beside`: the kind of a child of it that is another's. */
const onWifi = (oneMac: boolean, beside?: string): Kernel => {
  const foreign = beside === undefined ? [] : [link('vm0', 20, { kind: beside, parent: 2, data: { mode: 'l2' } })];
  const kernel = newHost(foreign);
  const wireless = { oneMac };
  kernel.links = kernel.links.map((one) => (one.name === 'eth0' ? { ...one, wireless } : one));
  return kernel;
};
const attachmentOf = (kernel: Kernel, raw: Json): unknown => {
  const { steps } = look(kernel, desired({ net: raw }, WORKLOAD));
  const attach = steps.find(({ kind }) => kind === 'endpoint.attach');
  return attach?.kind === 'endpoint.attach' ? attach.spec.attachment : undefined;
};
describe('macvlan on a WiFi uplink', () => {
  const own = macvlan({ subnet: '10.20.0.0/16', subnet6: 'fd00:20::/64' });

  test.each(['bridge', 'vepa', 'private'])('in mode %s is ipvlan l2, on a VLAN of it too, and says so', (mode) => {
    expect(attachmentOf(onWifi(true), { ...own, mode })).toEqual({ type: 'ipvlan', parent: 'eth0', mode: 'l2' });
    expect(attachmentOf(onWifi(true), { ...own, mode, vlan: 5 })).toMatchObject({ type: 'ipvlan' });
    const { intent } = look(onWifi(true), desired({ net: { ...own, mode } }));
    expect(intent.networks.get('net')?.instead).toBe('ipvlan l2, since eth0 is WiFi, where only its own MAC passes');
  });

  test('stands beside another’s ipvlan, and not beside its macvlan', () => {
    expect(attachmentOf(onWifi(true, 'ipvlan'), own)).toMatchObject({ type: 'ipvlan' });
    expect(attachmentOf(onWifi(true, 'macvlan'), own)).toBeUndefined();
  });

  test('is macvlan in mode passthru, and where the access point takes other MACs', () => {
    expect(attachmentOf(onWifi(true), { ...own, mode: 'passthru' })).toMatchObject({ type: 'macvlan' });
    expect(attachmentOf(onWifi(false), own)).toMatchObject({ type: 'macvlan' });
  });
});
