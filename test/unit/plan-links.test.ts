import { describe, expect, test } from '@jest/globals';
import { deriveMac } from '../../src/model/derived-mac.ts';
import { NOTHING_DESIRED } from '../../src/model/network.ts';
import type { RemotesByVni } from '../../src/model/peer.ts';
import { bridge, type Json, macvlan, overlay, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import { type Kernel, link, UNDERLAY } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';
import { vni } from './support/values.ts';

const peersOf = (id: number): RemotesByVni =>
  new Map([[vni(id), [{ gateway: 'gw-b', vtep: { ip: '192.0.2.2', port: 4789 }, macs: [] }]]]);
const net = (raw: Json): ReturnType<typeof desired> => desired({ net: raw });

function standing(raw: Json): Kernel {
  const kernel = newHost();
  converge(kernel, net(raw));
  return kernel;
}

describe('a link of ours', () => {
  test.each<[string, Json, Json, Json]>([
    ['MTU', overlay(5), overlay(5, { mtu: 1300 }), { mtu: 1300 }],
    [
      'learning',
      overlay(5),
      overlay(5, { peers: ['203.0.113.9'] }),
      { vxlan: ['id', '5', 'local', '192.0.2.1', 'learning'] },
    ],
    [
      'router',
      bridge('10.9.0.0/24'),
      bridge('10.9.0.0/24', { gateway: '10.9.0.9' }),
      { addAddresses: ['10.9.0.9/24'], removeAddresses: ['10.9.0.1/24'] },
    ],
  ])('keeps standing with another %s', (_, from, to, changes) => {
    const kernel = standing(from);
    const adjusted = look(kernel, net(to)).steps.filter(({ kind }) => kind.startsWith('link.'));
    expect(adjusted).toMatchObject([{ kind: 'link.adjust', object: 'network/net', sandbox: undefined, changes }]);
  });

  test('keeps standing with another underlay address of the same family', () => {
    const kernel = standing(overlay(5));
    kernel.underlay = { ...UNDERLAY, address: '192.0.2.99' };
    const vxlan = ['id', '5', 'local', '192.0.2.99', 'nolearning'];
    expect(look(kernel, net(overlay(5))).steps).toMatchObject([{ kind: 'link.adjust', changes: { vxlan } }]);
  });

  test('follows its underlay in joining packets, or not', () => {
    const kernel = standing(overlay(5));
    kernel.underlay = { ...UNDERLAY, joins: false };
    expect(look(kernel, net(overlay(5))).steps).toMatchObject([{ kind: 'link.adjust', changes: { gro: true } }]);
    converge(kernel, net(overlay(5)));
    expect(look(kernel, net(overlay(5))).steps).toEqual([]);
  });

  test.each([
    ['that is down', { up: false }, { up: true }],
    ['with a port’s MAC', { mac: '02:ff:00:00:00:09' }, { mac: deriveMac('net', 'the router') }],
    ['with another alias', { alias: 'mine\n"' }, { alias: 'linkspan:gw-a:network/net/bridge' }],
    ['with an address too many', { addresses: ['10.9.0.1/24', '10.9.0.77/24'] }, { removeAddresses: ['10.9.0.77/24'] }],
    ['with an address too few', { addresses: [] }, { addAddresses: ['10.9.0.1/24'] }],
  ])('%s is mended in place', (_, tampered, changes) => {
    const kernel = standing(bridge('10.9.0.0/24'));
    kernel.tamper(undefined, 'lsb-net', tampered);
    expect(look(kernel, net(bridge('10.9.0.0/24'))).steps).toMatchObject([
      { kind: 'link.adjust', name: 'lsb-net', changes },
    ]);
  });

  test.each([
    ['another VNI', overlay(5), overlay(6), 'has VNI 5 and shall have 6'],
    [
      'a group',
      overlay(5),
      overlay(5, { bum: { multicast: '239.1.1.10' } }),
      'has group undefined and shall have 239.1.1.10',
    ],
  ])('is made anew for %s, with its table in the same plan', (_, from, to, reason) => {
    const kernel = newHost();
    converge(kernel, net(from), new Map([...peersOf(5), ...peersOf(6)]));
    const { steps } = look(kernel, net(to), new Map([...peersOf(5), ...peersOf(6)]));
    expect(steps.slice(0, 2)).toMatchObject([
      { kind: 'link.delete', name: 'lsx-net', reason },
      { kind: 'link.create', link: { name: 'lsx-net' } },
    ]);
    kernel.run(steps);
    expect(look(kernel, net(to), new Map([...peersOf(5), ...peersOf(6)])).steps).toEqual([]);
  });

  test('is made anew where the underlay changes its family, or the port is another', () => {
    const kernel = standing(overlay(5));
    kernel.underlay = { ...UNDERLAY, address: '2001:db8::1' };
    expect(look(kernel, net(overlay(5))).steps[0]).toHaveProperty(
      'reason',
      'changes the address family of its underlay',
    );
    kernel.underlay = UNDERLAY;
    kernel.tamper(undefined, 'lsx-net', { data: { id: 5, port: 8472, local: '192.0.2.1' } });
    expect(look(kernel, net(overlay(5))).steps[0]).toHaveProperty('reason', 'has port 8472 and shall have 4789');
  });

  test('of another kind under the wanted name gives way', () => {
    const kernel = newHost([link('lsb-net', 20, { ours: true, kind: 'dummy' })]);
    expect(look(kernel, net(bridge('10.9.0.0/24'))).steps).toMatchObject([
      { kind: 'link.delete', name: 'lsb-net', reason: 'is a dummy and shall be a bridge' },
      { kind: 'link.create' },
      { kind: 'firewall.apply' },
      { kind: 'forwarding.set' },
    ]);
  });
});

test('a shim follows its uplink, with its routes in the same plan', () => {
  const kernel = newHost();
  const plant = macvlan({ subnet: '10.20.0.0/16' });
  const wanted = desired({ plant }, { w: workload({ plant: { address: '10.20.0.21' } }, 's1') });
  converge(kernel, wanted);
  kernel.tamper(undefined, 'lss-plant', { parent: 3 });
  const { steps } = look(kernel, wanted);
  expect(steps[0]).toMatchObject({
    kind: 'link.delete',
    name: 'lss-plant',
    reason: 'hangs on another interface than eth0',
  });
  kernel.run(steps);
  expect(look(kernel, wanted).steps).toEqual([]);
  expect(kernel.observe().routes).toEqual([{ to: '10.20.0.21', device: 'lss-plant', source: '10.20.0.5' }]);
});

test('whatever carries our mark and is not wanted goes, even if its maker had no time to name it', () => {
  const kernel = newHost([
    link('lst-half', 20, { ours: true, kind: 'veth' }),
    link('lsb-old', 21, { ours: true, kind: 'bridge', alias: 'linkspan:gw-before:network/old/bridge' }),
  ]);
  expect(look(kernel, NOTHING_DESIRED).steps).toMatchObject([
    { kind: 'link.delete', name: 'lst-half' },
    { kind: 'link.delete', name: 'lsb-old', object: 'network/old' },
  ]);
});
