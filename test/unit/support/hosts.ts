import * as fc from 'fast-check';
import type { ObservedLink } from '../../../src/host/links.ts';
import type { DesiredState } from '../../../src/model/network.ts';
import type { RemotesByVni } from '../../../src/model/peer.ts';
import { bridge, document, type Json, macvlan, overlay, parse } from './documents.ts';
import { Kernel, link } from './kernel.ts';
import { desired } from './planning.ts';
import { mac, vni } from './values.ts';

/** What nobody may touch: the gateway's own interfaces, and those of other programs. */
export const FOREIGN: readonly ObservedLink[] = [
  link('lo', 1),
  link('eth0', 2, { addresses: ['192.0.2.1/24', '10.20.0.5/16', 'fd00:20::5/64'] }),
  link('eth1', 3, { addresses: ['10.30.0.5/16'], mtu: 9000 }),
  link('docker0', 4, { kind: 'bridge', alias: 'linkspan:gw-a:network/line1/vxlan' }),
  link('flannel.1', 5, { kind: 'vxlan', data: { id: 1, port: 8472, local: '192.0.2.1' } }),
];

const inside = (n: number): readonly ObservedLink[] => [
  link('lo', 1),
  link('tun0', 50 + n, { alias: 'vpn "of" the\nvendor:endpoint/w1/line1' }),
];

/** A gateway on which nothing of ours stands, with three workloads' namespaces. */
export function newHost(extra: readonly ObservedLink[] = [], within: readonly ObservedLink[] = []): Kernel {
  const sandboxes = [1, 2, 3].map((n) => [`/run/netns/s${n}`, [...inside(n), ...within]] as const);
  return new Kernel([...FOREIGN, ...extra], Object.fromEntries(sandboxes));
}

const LONG = 'of-the-line-with-the-longest-name-that-a-document-can-give-it'.slice(0, 57);
const option = <T>(value: T): fc.Arbitrary<T | undefined> => fc.option(fc.constant(value), { nil: undefined });
const record = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Json> =>
  fc
    .record(fields)
    .map((given) => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));

const engine = fc.constantFrom(undefined, 'auto', 'kernel', 'user');
const line1 = fc
  .tuple(
    fc.constantFrom(10_110, 10_111),
    record({
      gateway: option('10.110.0.1'),
      mtu: fc.constantFrom(undefined, 1300, 9000),
      peers: option(['203.0.113.9']),
      bum: option({ multicast: '239.1.1.10' }),
      stretch: fc.constantFrom(
        undefined,
        { uplink: 'lan2', vlan: 110 },
        { uplink: 'lan', vlan: 120 },
        { uplink: 'lan2', vlan: 110, outerVlan: 20 },
      ),
      engine,
    }),
  )
  .map(([number, rest]) => overlay(number, { subnet: '10.110.0.0/24', subnet6: 'fd00:110::/64', ...rest }));
const plant = record({
  mode: fc.constantFrom('bridge', 'vepa', 'private', 'passthru'),
  gateway: option('10.20.0.1'),
}).map((rest) => macvlan({ subnet: '10.20.0.0/16', range: '10.20.8.0/24', ...rest }));
const plant2 = fc
  .tuple(
    record({ shim: option(false), mtu: option(1400) }),
    fc.constantFrom({}, { vlan: 120 }, { vlan: 120, outerVlan: 20 }, { vlan: 120, outerVlan: 21 }),
    fc.constantFrom({}, { driver: 'ipvlan' }, { driver: 'ipvlan', mode: 'l3' }),
  )
  .map(([rest, place, kind]) =>
    macvlan({ uplink: 'lan2', subnet: '10.30.0.0/16', range: '10.30.8.0/24', ...rest, ...place, ...kind }),
  );
const cell = record({ subnet6: option('fd00:30::/64'), mtu: option(1400) }).map((rest) =>
  bridge('172.30.0.0/24', rest),
);
const NETWORKS = {
  line1,
  line2: engine.map((name) => overlay(10_120, name === undefined ? {} : { engine: name })),
  plant,
  plant2,
  cell,
  cell2: fc.constant(bridge('172.31.0.0/24')),
};

const subset = (names: readonly string[]): fc.Arbitrary<string[]> => fc.subarray([...names]);

function workloads(names: readonly string[], suffix: string): fc.Arbitrary<Json> {
  const one = fc.tuple(
    fc.boolean(),
    fc.constantFrom(0, 1),
    subset(names),
    fc.constantFrom(undefined, '02:00:00:00:00:1'),
  );
  return fc.array(one, { maxLength: 3 }).map((wanted) => {
    const entries = wanted.map(([shifted, octet, networks, start], n) => {
      const own = start === undefined ? {} : { mac: `${start}${n}` };
      const address = { address: `10.110.0.${40 + octet * 10 + n}` };
      const on = networks.map((name) => [
        `${name}${suffix}`,
        { ...(name !== 'plant2' && own), ...(name === 'line1' && octet > 0 && address) },
      ]);
      const netns = `s${((n + Number(shifted)) % 3) + 1}`;
      return [`w${n}${suffix}`, { sandbox: { netns }, networks: Object.fromEntries(on) as Json }];
    });
    return Object.fromEntries(entries) as Json;
  });
}

/** Valid documents of all drivers, with short names or with the longest. */
export const documents: fc.Arbitrary<DesiredState> = fc
  .tuple(subset(Object.keys(NETWORKS)), fc.record(NETWORKS), fc.constantFrom('', LONG))
  .chain(([names, raw, suffix]) => {
    const networks = Object.entries(raw).filter(([name]) => names.includes(name));
    const named = Object.fromEntries(networks.map(([name, value]) => [`${name}${suffix}`, value]));
    return workloads(names, suffix).map((wanted): [Json, Json] => [named, wanted]);
  })
  .filter(([networks, wanted]) => parse(document(networks, wanted)).ok)
  .map(([networks, wanted]) => desired(networks, wanted));

const remote = fc
  .tuple(fc.integer({ min: 2, max: 5 }), fc.constantFrom(4789, 4790), fc.integer({ min: 0, max: 3 }))
  .map(([n, port, count]) => ({
    gateway: `gw-${n}`,
    vtep: { ip: n === 5 ? '2001:db8::5' : `192.0.2.${n}`, port },
    macs: Array.from({ length: count }, (_, m) => ({
      m: mac(`02:00:00:0${n}:00:0${m}`),
      // .40 to .59 are workloads' here, .15 is claimed by several
      ip: [`10.110.0.${40 + n * 3 + m}`, `fd00:110::${n}${m}`, ...(m === 1 ? ['10.110.0.15'] : [])],
      q: 0,
      s: 1 as const,
    })),
  }));

/** What peers publish: each gateway once. */
export const peers: fc.Arbitrary<RemotesByVni> = fc
  .uniqueArray(remote, { maxLength: 3, selector: ({ gateway }) => gateway })
  .map(
    (remotes) =>
      new Map([
        [vni(10_110), remotes],
        [vni(10_120), remotes.slice(1)],
      ]),
  );
