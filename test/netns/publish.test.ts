import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Gateway } from '../lab/gateway.ts';
import { startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Site, twoSites } from '../lab/sites.ts';
import { builtService } from './support/built.ts';
import { apply, type Spec, workload } from './support/documents.ts';
import { gatewayName } from './support/names.ts';
import { ask, serve } from './support/services.ts';

const GW_A = gatewayName('a');
const PLANT = { 4: '10.20.0.1', 6: 'fd00:20::1' } as const;

let lab: Lab;
let site: Site;
let gateway: Gateway;
let w1: Namespace;
let w2: Namespace;
let w3: Namespace;

beforeEach(async () => {
  builtService();
  lab = new Lab();
  site = (await twoSites(lab)).a;
  [w1, w2, w3] = [await site.workload('w1'), await site.workload('w2'), await site.workload('w3')];
  await site.gateway.batch(['address add 10.20.0.1/24 dev lan0', 'address add fd00:20::1/64 dev lan0 nodad']);
  await site.plc.ip('address', 'add', 'fd00:20::10/64', 'dev', 'eth0', 'nodad');
  const config = {
    gateway: GW_A,
    underlay: { address: site.underlay },
    mqtt: { url: 'mqtt://127.0.0.1:9' },
    status: { listen: '127.0.0.1:0' },
  };
  gateway = await startGateway(lab, { namespace: site.gateway, config });
});
afterEach(() => lab.close());

const CELL = { driver: 'bridge', subnet: '172.30.0.0/24', subnet6: 'fd00:30::/64' };
const CELL2 = { driver: 'bridge', subnet: '172.31.0.0/24', subnet6: 'fd00:31::/64' };
const AT = {
  w1: { address: '172.30.0.31', address6: 'fd00:30::31' },
  w2: { address: '172.30.0.32', address6: 'fd00:30::32' },
  w3: { address: '172.31.0.33', address6: 'fd00:31::33' },
} as const;

function cells(publish: readonly string[], network: object = {}): Spec {
  return {
    networks: { cell: { ...CELL, ...network }, cell2: CELL2 },
    workloads: {
      w1: workload(w1, { cell: { ...AT.w1, publish } }),
      w2: workload(w2, { cell: AT.w2 }),
      w3: workload(w3, { cell2: AT.w3 }),
    },
  };
}

const bridgeNetfilter = (on: '0' | '1'): Promise<unknown> =>
  site.gateway.exec(
    'sh',
    '-c',
    `for f in iptables ip6tables; do echo ${on} >/proc/sys/net/bridge/bridge-nf-call-$f; done`,
  );

/** Whoever can ask at a port of the gateway, where, and as whom w1 then sees them. */
const everywhere = (): readonly (readonly [who: string, from: Namespace, at: string, as: string])[] => [
  ['the plant', site.plc, PLANT[4], '10.20.0.10'],
  ['the plant', site.plc, PLANT[6], 'fd00:20::10'],
  ['the host', site.gateway, PLANT[4], PLANT[4]],
  ['the host', site.gateway, PLANT[6], PLANT[6]],
  ['the host', site.gateway, '127.0.0.1', '172.30.0.1'],
  ['another network', w3, PLANT[4], '172.30.0.1'],
  ['another network', w3, PLANT[6], 'fd00:30::1'],
  ['another network', w3, '172.31.0.1', '172.30.0.1'],
  ['a neighbour', w2, PLANT[4], '172.30.0.1'],
  ['a neighbour', w2, PLANT[6], 'fd00:30::1'],
  ['itself', w1, PLANT[4], '172.30.0.1'],
  ['itself', w1, PLANT[6], 'fd00:30::1'],
];

test.each([
  ['in an open network', '1', {}],
  ['in an open network', '0', {}],
  ['where workloads are kept apart', '1', { icc: false }],
  ['where workloads are kept apart', '0', { icc: false }],
] as const)('%s, with br_netfilter %s: a published port is reached from everywhere', async (_, filtered, network) => {
  await bridgeNetfilter(filtered);
  await serve(lab, w1, 'w1', 80);
  await apply(gateway, 1, cells(['8080:80', '8080:80/udp'], network));
  for (const transport of ['tcp', 'udp'] as const) {
    const answers = await Promise.all(everywhere().map(([, from, at]) => ask(from, transport, at, 8080)));
    const told = everywhere().map(([who, , at], n) => `${who} at ${at}: ${answers[n] ?? 'nothing'}`);
    expect(told).toEqual(everywhere().map(([who, , at, as]) => `${who} at ${at}: w1 sees ${as}`));
  }
});
