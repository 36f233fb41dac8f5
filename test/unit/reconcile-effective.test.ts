import { expect, test } from '@jest/globals';
import { parseIpPrefix, type IpPrefix } from '../../src/model/ip.ts';
import { deriveMac } from '../../src/model/mac.ts';
import type { DesiredState, Endpoint } from '../../src/model/network.ts';
import { effective, type Effective, type Lease } from '../../src/reconcile/effective.ts';

const prefix = (text: string): IpPrefix => parseIpPrefix(text) ?? { family: 4, address: text, length: 0 };
const endpoint = (workload: string, ...addresses: string[]): Endpoint => ({
  workload,
  network: 'cell',
  sandbox: { kind: 'netns', name: workload },
  interface: 'eth0',
  mac: deriveMac('cell', workload),
  addresses: addresses.map((text) => prefix(text)),
});
const lease = (workload: string, family: 4 | 6, address: string): Lease => ({
  workload,
  network: 'cell',
  family,
  address,
});

function cell(subnet6: string, endpoints: readonly Endpoint[], gateway = '172.30.0.1'): DesiredState {
  const subnets = [prefix('172.30.0.0/24'), prefix(subnet6)];
  return { networks: [{ driver: 'bridge', name: 'cell', subnets, gateway }], endpoints };
}

const run = (document: DesiredState, leases: readonly Lease[]): Effective =>
  effective(document, [], leases, new Map(), 'gw-a');
const addressesOf = ({ desired }: Effective, workload: string): readonly string[] =>
  desired.endpoints.find((one) => one.workload === workload)?.addresses.map(({ address }) => address) ?? [];

test('one family that moves takes only its own lease with it', () => {
  const [four, six] = [lease('w', 4, '172.30.0.77'), lease('w', 6, 'fd00:1::77')];
  const result = run(cell('fd00:2::/64', [endpoint('w')]), [four, six]);
  expect(result.staleLeases).toEqual([six]);
  expect(addressesOf(result, 'w')[0]).toBe('172.30.0.77');
});

test('an address that a document gives by name is no longer another workload’s lease', () => {
  const held = lease('w', 4, '172.30.0.77');
  const result = run(cell('fd00:2::/64', [endpoint('w'), endpoint('named', '172.30.0.77/24')]), [held]);
  expect(result.staleLeases).toEqual([held]);
  expect(addressesOf(result, 'w')).not.toContain('172.30.0.77');
  expect(addressesOf(result, 'w')).toHaveLength(2);
});

test('nor is the address that became the gateway’s', () => {
  const held = lease('w', 4, '172.30.0.77');
  const result = run(cell('fd00:2::/64', [endpoint('w')], '172.30.0.77'), [held]);
  expect(addressesOf(result, 'w')).not.toContain('172.30.0.77');
});
