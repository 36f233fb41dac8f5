import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Lab } from '../lab/lab.ts';
import { vmLab } from '../lab/vm/lab.ts';
import { until } from '../lab/wait.ts';
import { Capture } from '../netns/support/capture.ts';
import { apply, applyText, documentText, type Spec, workload } from '../netns/support/documents.ts';
import { type MacvlanLab, macvlanLab } from '../netns/support/macvlan.ts';

const L2 = { driver: 'ipvlan', uplink: 'lan', subnet: '10.20.0.0/24', subnet6: 'fd00:20::/64', gateway: '10.20.0.10' };
const L3 = { driver: 'ipvlan', uplink: 'lan', subnet: '10.77.0.0/24', subnet6: 'fd00:77::/64' };

let lab: Lab;
let site: MacvlanLab;
let version = 0;

beforeAll(async () => {
  lab = await vmLab();
  site = await macvlanLab(lab);
}, 120_000);
afterAll(() => lab.close());

/** The workloads w1 (…31) and w2 (…32) on that network. */
function two(network: Readonly<Record<string, unknown>>, prefix: string, prefix6: string): Spec {
  const at = (n: number): Record<string, unknown> => ({
    plant: { address: `${prefix}.${n}`, address6: `${prefix6}::${n}` },
  });
  return {
    uplinks: { lan: { interface: 'lan0' } },
    networks: { plant: network },
    workloads: { w1: workload(site.w1, at(31)), w2: workload(site.w2, at(32)) },
  };
}

const wish = (spec: Spec): Promise<unknown> => apply(site.gateway, (version += 1), spec);
const macOf = async (): Promise<string> => {
  const [link] = await site.site.gateway.ipJson<{ address: string }[]>('link', 'show', 'lan0');
  return link?.address ?? '';
};

/** What the tests of each mode have in common: everyone reaches everyone, over IPv4 and IPv6. */
async function expectReached(prefix: string, prefix6: string): Promise<void> {
  const { gateway, plc } = site.site;
  for (const address of ['10.20.0.10', 'fd00:20::10', `${prefix}.32`, `${prefix6}::32`, '10.20.0.1', 'fd00:20::1']) {
    await until(`w1 to reach ${address}`, () => site.w1.reaches(address));
  }
  for (const address of [`${prefix}.31`, `${prefix6}::31`]) {
    await until(`the plant to reach ${address}`, () => plc.reaches(address));
    await until(`the host to reach ${address}`, () => gateway.reaches(address));
  }
}

test('l2: on the wire by the uplink’s MAC, announced there; plant, sibling and host reach it, and it them', async () => {
  const capture = await Capture.start(lab, site.site.plc, 'eth0', 'arp', 'or', 'icmp6');
  await wish(two(L2, '10.20.0', 'fd00:20'));
  const mac = await macOf();
  await until('the gratuitous ARP', () =>
    new RegExp(`${mac} > ff:.*(who-has|Reply) 10\\.20\\.0\\.31`).test(capture.text()),
  );
  await until('the advertisement', () => /neighbor advertisement, tgt is fd00:20::31/.test(capture.text()));
  await expectReached('10.20.0', 'fd00:20');
  expect((await site.site.plc.ip('neigh', 'show', '10.20.0.31')).stdout).toContain(mac);
  const { endpoints, networks } = await site.gateway.status();
  expect(endpoints.map((endpoint) => endpoint.mac)).toEqual([mac, mac]);
  expect(networks[0]?.shim).toBe('lss-plant');
  expect((await site.w1.ip('route', 'show', 'default')).stdout).toContain('via 10.20.0.10');
});

test('l2: an uplink that takes another MAC keeps the host’s way to its workloads', async () => {
  await site.site.gateway.ip('link', 'set', 'lan0', 'address', '02:00:00:00:00:77');
  await until('the host to reach w1', () => site.site.gateway.reaches('10.20.0.31'));
  await until('the host to reach w1 over IPv6', () => site.site.gateway.reaches('fd00:20::31'));
});

test('an address that an interface of somebody else has already is refused in words', async () => {
  const other = await lab.namespace('other');
  await site.site.gateway.batch([`link add other link lan0 type ipvlan mode l2`, `link set other netns ${other.path}`]);
  await other.ip('address', 'add', '10.20.0.33/24', 'dev', 'other');
  const spec = two(L2, '10.20.0', 'fd00:20');
  const w2 = workload(site.w2, { plant: { address: '10.20.0.33' } });
  await applyText(site.gateway, documentText((version += 1), { ...spec, workloads: { ...spec.workloads, w2 } }));
  await until('the refusal', async () =>
    (await site.gateway.status()).endpoints.some(({ problem }) =>
      /10\.20\.0\.33.*another interface on \S+ wire has it/.test(problem ?? ''),
    ),
  );
  expect(await site.w1.reaches('10.20.0.10')).toBe(true);
  await other.ip('link', 'delete', 'other');
  await until(
    'the address to be free',
    async () => (await site.w2.ip('address')).stdout.includes('10.20.0.33'),
    60_000,
  );
});

test.each(['l3', 'l3s'])(
  '%s: off the wire; who has a route by the gateway reaches it, and it everyone',
  async (mode) => {
    const { plc } = site.site;
    await plc.batch(['route replace 10.77.0.0/24 via 10.20.0.1', 'route replace fd00:77::/64 via fd00:20::1']);
    await wish(two({ ...L3, mode }, '10.77.0', 'fd00:77'));
    await expectReached('10.77.0', 'fd00:77');
    expect((await site.w1.ip('-d', 'link', 'show', 'eth0')).stdout).toMatch(new RegExp(`ipvlan +mode ${mode} `));
    expect((await site.w1.ip('route', 'show', 'default')).stdout).toMatch(/^default dev eth0/);
    await plc.batch(['route del 10.77.0.0/24', 'route del fd00:77::/64']);
    expect(await plc.reaches('10.77.0.31')).toBe(false);
  },
);

test('on a VLAN, then macvlan in its place, then nothing: each is made and taken away in the right order', async () => {
  await wish(two({ ...L2, vlan: 110 }, '10.20.0', 'fd00:20'));
  expect((await site.w1.ip('-d', 'link', 'show', 'eth0')).stdout).toMatch(/ipvlan +mode l2 /);
  expect(await site.w1.reaches('10.20.0.32')).toBe(true);
  await wish(two({ ...L2, driver: 'macvlan', mode: 'bridge' }, '10.20.0', 'fd00:20'));
  expect(await site.w1.reaches('10.20.0.10')).toBe(true);
  await wish({ uplinks: {}, networks: {}, workloads: {} });
  const left = await site.site.gateway.ipJson<{ ifname: string }[]>('link', 'show');
  expect(left.map(({ ifname }) => ifname).filter((name) => name.startsWith('ls'))).toEqual([]);
  expect((await site.site.gateway.ip('neigh', 'show', 'nud', 'permanent')).stdout).toBe('');
});
