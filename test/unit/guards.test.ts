import { describe, expect, test } from '@jest/globals';
import type { GuardSpec } from '../../src/drivers/guards.ts';
import type { Guards } from '../../src/model/guards.ts';
import { DEFAULT_GUARDS } from '../../src/model/guards.ts';
import type { RemotesByVni } from '../../src/model/peer.ts';
import { counterDump, readCounter, readTable } from '../../src/packet/nft-objects.ts';
import { portRules } from '../../src/reconcile/guards/port-rules.ts';
import { sourceRules } from '../../src/reconcile/guards/source-rules.ts';
import type { Step } from '../../src/reconcile/plan.ts';
import { document, type Json, overlay, parse, documentOf, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import type { Kernel } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';
import { vni } from './support/values.ts';

const spec = (guards: Partial<Guards> = {}): GuardSpec => ({
  device: 'lsx-line',
  object: 'network/line',
  guards: { ...DEFAULT_GUARDS, ...guards },
  port: 4789,
  sources: undefined,
});
/** The rules of a chain, without their indent. */
function chain(rules: string, name: string): readonly string[] {
  const [, body = ''] = new RegExp(`  chain ${name} \\{\n(.*?)  \\}\n`, 's').exec(rules) ?? [];
  return body.trim().split(/\n */);
}

/** What becomes of broadcast and multicast that none of the rules for all profiles names. */
const groups = (...profiles: Guards['profiles']): readonly string[] =>
  chain(portRules(spec({ profiles }), true), 'groups_in').slice(7);

describe('the rules of a port', () => {
  test('of a network with a narrow way: TCP is told, both ways; nothing where all ways are wide', () => {
    const rules = portRules({ ...spec(), path: 1350 }, true);
    for (const way of ['in', 'out']) {
      expect(chain(rules, `unicast_${way}`)).toEqual([
        'ether type 0x0800 tcp flags & (syn | rst) == syn tcp option maxseg size set 1310',
        'ether type 0x86dd tcp flags & (syn | rst) == syn tcp option maxseg size set 1290',
        'meta l4proto 6 accept',
        `goto services_${way}`,
      ]);
    }
    expect(portRules(spec(), true)).not.toContain('maxseg');
  });

  test('from other sites, by default', () => {
    const rules = portRules(spec(), true);
    expect(chain(rules, 'port_in')).toEqual([
      'type filter hook ingress device "lsx-line" priority filter; policy accept;',
      '@ll,48,48 0 counter name group_source_in drop',
      '@ll,0,56 & 0x01000000000001 == 0 @ll,96,16 . meta protocol { 0x0800 . ip, 0x86dd . ip6 } goto unicast_in',
      'ether saddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 counter name group_source_in drop',
      'ether type { 8021q, 8021ad } counter name inner_vlan_in drop',
      '@ll,96,16 { 0x0800, 0x86dd } @ll,96,16 . meta protocol != { 0x0800 . ip, 0x86dd . ip6 } counter name protocol_in drop',
      'meta protocol { ip, ip6 } @ll,96,16 != { 0x0800, 0x86dd } counter name protocol_in drop',
      '@ll,96,16 < 1536 @ll,112,24 0xaaaa03 @ll,136,24 { 0x000000, 0x0000f8 } counter name protocol_in drop',
      'ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 goto groups_in',
      'ether type 0x0806 accept',
      'ether type { 0x8892, 0x88a4, 0x88b8, 0x88ba, 0x88f7, 0x80e1, 0x8808, 0x8809, 0x88cc, 0x88e3, 0x88fb, 0x9100, 0x9200 } counter name protocol_in drop',
    ]);
    expect(chain(rules, 'unicast_in')).toEqual(['meta l4proto 6 accept', 'goto services_in']);
    expect(chain(rules, 'services_in')).toEqual([
      'udp dport { 67, 68, 546, 547, 4789 } goto ports_in',
      'icmpv6 type { 134, 137 } counter name ra_in drop',
      'ip6 saddr fe80::/10 exthdr frag exists counter name ra_in drop',
      'frag nexthdr { 0, 43, 44, 60 } counter name dhcp_in drop',
    ]);
    expect(chain(rules, 'ports_in')).toEqual([
      'udp dport 4789 counter name nested_in drop',
      'counter name dhcp_in drop',
    ]);
    expect(chain(rules, 'groups_in').slice(3, 7)).toEqual([
      'ether type 0x88b5 @ll,112,32 0x4c534c50 goto probes_in',
      'jump services_in',
      'ether type 0x0806 goto neighbours_in',
      'icmpv6 type { 135, 136 } goto neighbours_in',
    ]);
    expect(chain(rules, 'groups_in').at(-1)).toBe('goto limited_in');
  });

  test('are the same both ways, where the kernel has a hook for what goes out', () => {
    const [both, alone] = [portRules(spec(), true), portRules(spec(), false)];
    expect(chain(both, 'port_out')[0]).toContain('hook egress device "lsx-line"');
    expect(chain(both, 'groups_out')).toEqual(chain(both, 'groups_in').map((rule) => rule.replaceAll('_in', '_out')));
    expect(alone).not.toContain('egress');
    // The same counters, since rules are replaced and counters stay.
    expect(alone.match(/counter \w+ \{\}/g)).toEqual(both.match(/counter \w+ \{\}/g));
  });

  test.each([
    [200, 'limit rate 45/second burst 5 packets accept', 'limit rate over 135/second burst 15 packets'],
    [
      1_000_000,
      'limit rate 225000/second burst 25000 packets accept',
      'limit rate over 675000/second burst 75000 packets',
    ],
    [5, 'limit rate 1/second burst 1 packets accept', 'limit rate over 3/second burst 1 packets'],
    [3, undefined, 'limit rate over 2/second burst 1 packets'],
    [1, undefined, 'limit rate over 1/second burst 1 packets'],
  ])('of %i a second a quarter is kept for who looks for a neighbour', (bumPps, kept, rest) => {
    const rules = portRules(spec({ bumPps }), true);
    expect(chain(rules, 'neighbours_in')).toEqual([...(kept === undefined ? [] : [kept]), 'goto limited_in']);
    expect(chain(rules, 'limited_in')).toEqual([`${rest} counter name storm_in drop`]);
  });

  test('let across what is allowed, and no more than that', () => {
    const dhcp = portRules(spec({ dhcp: 'allow' }), true);
    expect(chain(dhcp, 'services_in')[0]).toBe('udp dport { 4789 } goto ports_in');
    expect(dhcp).toContain('name ra_in drop');
    const ra = portRules(spec({ ra: 'allow' }), true);
    expect(ra).not.toContain('name ra_out drop');
    expect(chain(ra, 'services_out')).toEqual([
      'udp dport { 67, 68, 546, 547, 4789 } goto ports_out',
      'frag nexthdr { 0, 43, 44, 60 } counter name dhcp_out drop',
    ]);
  });

  test('of a profile end with what it does not name; of several, with what none names', () => {
    expect(groups('strict')).toEqual(['counter name protocol_in drop']);
    expect(groups('bacnet', 'profinet')).toEqual([
      'ether type 0x8892 @ll,112,16 { 0xfefc, 0xfefe, 0xfeff } goto limited_in',
      'udp dport 47808 goto limited_in',
      'counter name protocol_in drop',
    ]);
    expect(groups('profinet', 'default')[0]).toContain('0xfefe');
    expect(groups('profinet', 'default').at(-1)).toBe('goto limited_in');
  });
});

describe('the rules of sources', () => {
  test('are by network, of either family, and none without networks', () => {
    const rules = sourceRules(
      [
        { vni: 5, addresses: ['192.0.2.2', '192.0.2.3'] },
        { vni: 6, addresses: [] },
      ],
      4790,
    );
    expect(chain(rules, 'input')[1]).toBe('udp dport 4790 goto tunnels');
    expect(chain(rules, 'tunnels')).toEqual([
      'ip saddr . @th,96,24 { 192.0.2.2 . 5, 192.0.2.3 . 5 } accept',
      '@th,96,24 { 5, 6 } counter name unknown_source drop',
    ]);
    expect(sourceRules([{ vni: 5, addresses: ['2001:db8::2'] }], 4789)).toContain(
      'ip6 saddr . @th,96,24 { 2001:db8::2 . 5 }',
    );
    expect(chain(sourceRules([{ vni: 5, addresses: [] }], 4789), 'tunnels')).toHaveLength(1);
    expect(sourceRules([], 4789)).toBe('');
  });
});

const line = (rest: Json = {}, engine = 'kernel'): ReturnType<typeof desired> =>
  desired(
    { o: overlay(5, { engine, ...rest }), cell: { driver: 'bridge', subnet: '10.9.0.0/24' } },
    { w: workload({ o: {} }, 's1') },
  );
const remotes = (...ips: readonly string[]): RemotesByVni =>
  new Map([[vni(5), ips.map((ip, n) => ({ gateway: `gw-${n}`, vtep: { ip, port: 4789 }, macs: [] }))]]);
const applied = (
  kernel: Kernel,
  state: ReturnType<typeof desired>,
  peers = remotes(),
): readonly Extract<Step, { kind: 'guards.apply' }>[] =>
  look(kernel, state, peers).steps.flatMap((step) => (step.kind === 'guards.apply' ? [step] : []));
const tables = (steps: ReturnType<typeof applied>): readonly string[] =>
  steps.map(({ table, body }) => `${body === '' ? 'no ' : ''}${table}`);

describe('the guards of a host', () => {
  test('stand before a workload does, and then need nothing', () => {
    const { steps } = look(newHost(), line());
    const kinds = steps.map(({ kind }) => kind);
    expect(kinds.indexOf('guards.apply')).toBeGreaterThan(kinds.indexOf('link.create'));
    expect(kinds.lastIndexOf('guards.apply')).toBeLessThan(kinds.indexOf('endpoint.attach'));
    const kernel = newHost();
    converge(kernel, line());
    expect(applied(kernel, line())).toEqual([]);
  });

  test('are put back when somebody flushes them, and leave with the network', () => {
    const kernel = newHost();
    converge(kernel, line());
    kernel.guards.tables = new Map();
    expect(tables(applied(kernel, line()))).toEqual(['netdev linkspan-lsx-o', 'inet linkspan-vteps']);
    converge(kernel, line());
    expect(tables(applied(kernel, desired({})))).toEqual(['no netdev linkspan-lsx-o', 'no inet linkspan-vteps']);
    converge(kernel, desired({}));
    expect(kernel.guards.tables.size).toBe(0);
  });

  test('change with what is asked for, one table alone; with peers, the table of sources alone', () => {
    const kernel = newHost();
    converge(kernel, line());
    expect(tables(applied(kernel, line({ guards: { bumPps: 10 } })))).toEqual(['netdev linkspan-lsx-o']);
    expect(tables(applied(kernel, line({ mtu: 1300 })))).toEqual([]);
    const [step] = applied(kernel, line(), remotes('192.0.2.2', '192.0.2.2', '2001:db8::7'));
    expect(step).toMatchObject({ table: 'inet linkspan-vteps', object: 'host/guards' });
    expect(step?.body).toContain('{ 192.0.2.2 . 5 } accept');
  });

  test('of the user engine leave the sources to the datapath, which is told the limit too', () => {
    const kernel = newHost();
    const view = converge(kernel, line({ guards: { bumPps: 10 } }, 'user'), remotes('192.0.2.2'));
    expect([...kernel.guards.tables.keys()]).toEqual(['netdev linkspan-lsu-o']);
    expect(view.intent.datapath?.networks).toMatchObject([{ bumPps: 10 }]);
  });

  test('where the kernel has none, the network stands and says so', () => {
    const kernel = newHost();
    kernel.guards.hooks = 'none';
    const { waiting } = converge(kernel, line());
    expect(kernel.guards.tables.size).toBe(0);
    expect(waiting.get('network/o')).toMatchObject({ code: 'guards_unavailable', path: '/spec/networks/o' });
  });
});

const guardsOf = (guards: Json): unknown => {
  const [network] = documentOf(parse(document({ o: overlay(1, { guards }) }))).state.networks;
  return network && 'guards' in network ? network.guards : undefined;
};

test('a document’s guards are completed by the defaults; one profile is a list of one', () => {
  expect(guardsOf({})).toEqual(DEFAULT_GUARDS);
  expect(guardsOf({ dhcp: 'allow', loop: 'off', profile: 'mdns' })).toEqual({
    ...DEFAULT_GUARDS,
    dhcp: 'allow',
    loop: 'off',
    profiles: ['mdns'],
  });
  expect(guardsOf({ profile: ['mdns', 'strict'], bumPps: 7 })).toMatchObject({
    profiles: ['mdns', 'strict'],
    bumPps: 7,
  });
  for (const profile of ['all', [], ['mdns', 'mdns'], ['strict', 'all']])
    expect(parse(document({ o: overlay(1, { guards: { profile } }) }))).toMatchObject({ ok: false });
});

test('of the kernel’s answers, what is no counter and what is cut short is none', () => {
  expect(readCounter({ type: 0, interrupted: false, payload: Buffer.alloc(40) })).toBeUndefined();
  for (let length = 0; length < 64; length += 1) {
    const payload = Buffer.alloc(length, 5);
    expect(readCounter({ type: 0x0a12, interrupted: false, payload })).toBeUndefined();
    expect(readTable({ type: 0x0a00, interrupted: false, payload })).toBeUndefined();
  }
  expect(counterDump().readUInt16LE(4)).toBe(0x0a13);
});
