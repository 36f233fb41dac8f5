import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { run } from '../lab/exec.ts';
import type { Gateway } from '../lab/gateway.ts';
import { startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { builtService } from './support/built.ts';
import { apply, type Spec, workload } from './support/documents.ts';
import { kernelState } from './support/kernel-state.ts';
import { seededRandom } from './support/random.ts';
import { gatewayName } from './support/names.ts';

const GW_T = gatewayName('t');
const STEPS = 40;

type Case = {
  readonly name: string;
  readonly spec: (s1: Namespace, s2: Namespace) => Spec;
  /** lines of the kernel's state (see kernel-state.ts) that must be there, as they are or as their beginning */
  readonly facts: readonly string[];
  /** words that no line of ours may hold */
  readonly absent?: readonly string[];
};

const UPLINKS = { lan: { interface: 'lan0' }, spare: { interface: 'lan1' } };
const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24', peers: ['198.51.100.2'] };
const PLANT = { driver: 'macvlan', uplink: 'lan', subnet: '10.20.0.0/24' };
const CELL = { driver: 'bridge', subnet: '172.30.0.0/24' };
const MAC = '02:00:00:00:00:31';
const LONG = `n${'x'.repeat(62)}`;
const LONG6 = 'fd00:aaaa:bbbb:cccc::/64';
const LONG_HOST = 'fd00:aaaa:bbbb:cccc:dddd:eeee:ffff';

const CASES: readonly Case[] = [
  { name: 'nothing', spec: () => ({}), facts: ['g forwards nothing'], absent: ['group 19539', 'linkspan'] },
  {
    name: 'an overlay with two workloads',
    spec: (s1, s2) => ({
      networks: { line: LINE },
      workloads: {
        w1: workload(s1, { line: { address: '10.110.0.31', mac: MAC } }),
        w2: workload(s2, { line: { address: '10.110.0.32' } }),
      },
    }),
    facts: [
      `g link lsx-line vxlan up mtu 1450 id 10110 local 198.51.100.1 port 4789 learning true group 19539 alias linkspan:${GW_T}:network/line/vxlan`,
      'g fdb lsx-line 00:00:00:00:00:00 dst 198.51.100.2 permanent',
      `s1 link eth0 macvlan up mtu 1450 mode bridge on g/lsx-line mac ${MAC} group 19539`,
      's1 address eth0 10.110.0.31/24',
      's2 address eth0 10.110.0.32/24',
      'g forwards nothing',
    ],
  },
  {
    name: 'the overlay stretched to the spare uplink, beside NAT',
    spec: (s1, s2) => ({
      uplinks: UPLINKS,
      networks: { line: { ...LINE, stretch: { uplink: 'spare' } }, cell: CELL },
      workloads: {
        w1: workload(s1, { line: { address: '10.110.0.31', mac: MAC } }),
        w2: workload(s2, { cell: { address: '172.30.0.32' } }),
      },
    }),
    facts: [
      'g link lsb-line bridge up mtu 1500 group 19539',
      'g link lsx-line vxlan up mtu 1500 id 10110 local 198.51.100.1 port 4789 learning true master lsb-line',
      `s1 link eth0 macvlan up mtu 1450 mode bridge on g/lsb-line mac ${MAC}`,
      '\tchain lsb-line {',
      'g forwards br-other lan0 lsb-cell wan0',
    ],
  },
  {
    name: 'the workload moved and renumbered, a smaller MTU, a second overlay in IPv6',
    spec: (s1, s2) => ({
      networks: {
        line: { ...LINE, mtu: 1300, gateway: '10.110.0.1' },
        six: { driver: 'overlay', vni: 10_120, subnet6: 'fd00:120::/64' },
      },
      workloads: {
        w1: workload(s2, { line: { address: '10.110.0.41', mac: MAC } }),
        w3: workload(s1, { six: { address6: 'fd00:120::33', interface: 'net6' } }),
      },
    }),
    facts: [
      'g link lsx-line vxlan up mtu 1300 id 10110',
      'g link lsx-six vxlan up mtu 1450 id 10120 local 198.51.100.1 port 4789 learning false',
      `s2 link eth0 macvlan up mtu 1300 mode bridge on g/lsx-line mac ${MAC}`,
      's2 address eth0 10.110.0.41/24',
      's2 route default via 10.110.0.1 dev eth0',
      's1 address net6 fd00:120::33/64',
    ],
    absent: ['10.110.0.31', '10.110.0.32'],
  },
  {
    name: 'the plant’s wire, with the host’s shim',
    spec: (s1) => ({
      uplinks: UPLINKS,
      networks: { plant: PLANT },
      workloads: { w1: workload(s1, { plant: { address: '10.20.0.31', mac: MAC } }) },
    }),
    facts: [
      'g link lss-plant macvlan up mtu 1500 mode bridge on lan0 group 19539',
      'g route 10.20.0.31 dev lss-plant src 10.20.0.1 proto 76',
      `s1 link eth0 macvlan up mtu 1500 mode bridge on g/lan0 mac ${MAC}`,
    ],
    absent: ['lsx-line'],
  },
  {
    name: 'the plant’s wire in private mode, with a gateway',
    spec: (s1, s2) => ({
      uplinks: UPLINKS,
      networks: { plant: { ...PLANT, mode: 'private', gateway: '10.20.0.254', mtu: 1400 } },
      workloads: {
        w1: workload(s1, { plant: { address: '10.20.0.32', mac: MAC } }),
        w2: workload(s2, { plant: { address: '10.20.0.33', interface: 'field0' } }),
      },
    }),
    facts: [
      `s1 link eth0 macvlan up mtu 1400 mode private on g/lan0 mac ${MAC}`,
      's1 route default via 10.20.0.254 dev eth0',
      's2 link field0 macvlan up mtu 1400 mode private on g/lan0',
    ],
    absent: ['lss-plant', 'proto 76'],
  },
  {
    name: 'one workload has the spare uplink whole, another is behind NAT',
    spec: (s1, s2) => ({
      uplinks: UPLINKS,
      networks: { whole: { driver: 'macvlan', uplink: 'spare', mode: 'passthru', subnet: '10.21.0.0/24' }, cell: CELL },
      workloads: {
        w1: workload(s1, { whole: { address: '10.21.0.31' } }),
        w2: workload(s2, { cell: { address: '172.30.0.32' } }),
      },
    }),
    facts: [
      's1 link eth0 macvlan up mtu 1500 mode passthru on g/lan1',
      'g link lsb-cell bridge up mtu 1500 group 19539',
      'g address lsb-cell 172.30.0.1/24',
      'g link lsp-w2cel4fcc8a veth up mtu 1500 on s2/eth0 master lsb-cell group 19539',
      's2 route default via 172.30.0.1 dev eth0',
      'g forwards br-other lan0 lsb-cell wan0',
      '		ip saddr 172.30.0.0/24 oifname != "lsb-cell" masquerade',
      '	chain guard {',
    ],
  },
  {
    name: 'two NAT networks with another MTU, one workload on both',
    spec: (s1, s2) => ({
      networks: { cell: { ...CELL, mtu: 1400 }, cell2: { driver: 'bridge', subnet: '172.31.0.0/24' } },
      workloads: {
        w1: workload(s1, { cell: { address: '172.30.0.31', mac: MAC }, cell2: { address: '172.31.0.31' } }),
        w2: workload(s2, { cell2: { address: '172.31.0.32' } }),
      },
    }),
    facts: [
      'g link lsb-cell bridge up mtu 1400',
      's1 address eth0 172.30.0.31/24',
      's1 address eth1 172.31.0.31/24',
      's2 address eth0 172.31.0.32/24',
      'g forwards br-other lan0 lsb-cell lsb-cell2 wan0',
    ],
    absent: ['172.30.0.32'],
  },
  {
    name: 'another VNI with multicast, and the plant’s wire in vepa mode',
    spec: (s1, s2) => ({
      uplinks: UPLINKS,
      networks: {
        line: { driver: 'overlay', vni: 10_111, subnet: '10.110.0.0/24', bum: { multicast: '239.1.1.10' } },
        plant: { ...PLANT, mode: 'vepa' },
      },
      workloads: {
        w1: workload(s1, { line: { address: '10.110.0.31', mac: MAC }, plant: { address: '10.20.0.31' } }),
        w2: workload(s2, { plant: { address: '10.20.0.32' } }),
      },
    }),
    facts: [
      'g link lsx-line vxlan up mtu 1450 id 10111 group 239.1.1.10 local 198.51.100.1 port 4789 learning false',
      `s1 link eth0 macvlan up mtu 1450 mode bridge on g/lsx-line mac ${MAC}`,
      's1 link eth1 macvlan up mtu 1500 mode vepa on g/lan0',
      's2 link eth0 macvlan up mtu 1500 mode vepa on g/lan0',
      'g forwards nothing',
    ],
  },
  {
    name: 'names so long that the alias has no room for two addresses and a gateway',
    spec: (s1) => ({
      networks: {
        [LONG]: {
          driver: 'overlay',
          vni: 10_130,
          subnet: '10.130.0.0/24',
          subnet6: LONG6,
          gateway: `${LONG_HOST}:1111`,
        },
      },
      workloads: { [LONG]: workload(s1, { [LONG]: { address: '10.130.0.231', address6: `${LONG_HOST}:3131` } }) },
    }),
    facts: ['s1 address eth0 10.130.0.231/24', `s1 address eth0 ${LONG_HOST}:3131/64`],
  },
  {
    name: 'a workload without networks, a network without workloads',
    spec: (s1) => ({ networks: { line: LINE, cell: CELL }, workloads: { w1: workload(s1, {}) } }),
    facts: [
      'g link lsx-line vxlan up mtu 1450 id 10110',
      'g link lsb-cell bridge up mtu 1500',
      'g forwards br-other lan0 lsb-cell wan0',
    ],
    absent: ['link eth0 macvlan'],
  },
];

const lab = new Lab();
let g: Namespace;
let sandboxes: readonly [Namespace, Namespace];
let config: Record<string, unknown>;
let before = '';

const state = (): Promise<string> => kernelState(g, sandboxes);

/** Things of other programs, of every kind that Linkspan makes itself; none may ever change. */
async function plantForeign(): Promise<void> {
  const [s1] = sandboxes;
  await g.batch([
    'link add br-other type bridge',
    'address add 192.0.2.1/24 dev br-other',
    'link add link lan0 name mv-other type macvlan mode bridge',
    'link add vx-other type vxlan id 999 local 198.51.100.1 remote 198.51.100.2 dstport 4790',
    'link add lsx-foreign type veth peer name lsx-foreignp',
    'link set br-other up',
    'link set mv-other up',
    'link set vx-other up alias "somebody else’s"',
    'link set lsx-foreign master br-other up',
    'route add 203.0.113.0/24 via 198.51.100.2 proto static',
  ]);
  await run(g.inside(['bridge', '-batch', '-']), {
    input: 'fdb append 02:00:00:00:00:99 dev vx-other dst 198.51.100.2\n',
  });
  await run(g.inside(['nft', '-f', '-']), {
    input: 'table inet other { chain c { type filter hook input priority 0; }; }\n',
  });
  await s1.batch(['link add own0 type bridge', 'address add 192.0.2.65/26 dev own0', 'link set own0 up']);
}

beforeAll(async () => {
  builtService();
  g = await lab.namespace('g');
  const wire = await lab.namespace('wire');
  for (const name of ['wan0', 'lan0', 'lan1']) await lab.veth(g, name, wire, name);
  await g.batch([
    'address add 198.51.100.1/24 dev wan0',
    'address add 10.20.0.1/24 dev lan0',
    'route add default via 198.51.100.254',
  ]);
  await g.exec('sh', '-c', 'echo 0 >/proc/sys/net/ipv4/ip_forward');
  sandboxes = [await lab.namespace('s1'), await lab.namespace('s2')];
  for (const sandbox of sandboxes) await sandbox.ip('link', 'set', 'lo', 'up');
  await plantForeign();
  config = {
    gateway: GW_T,
    underlay: { address: '198.51.100.1' },
    // Nobody listens there: documents come through the CLI.
    mqtt: { url: 'mqtt://127.0.0.1:9' },
    status: { listen: '127.0.0.1:0' },
  };
  before = await state();
});
afterAll(() => lab.close());

function start(dir?: string): Promise<Gateway> {
  return startGateway(lab, { namespace: g, config, ...(dir !== undefined && { dir }) });
}

async function cleanUp(gateway: Gateway): Promise<void> {
  await gateway.stop();
  await g.exec(process.execPath, builtService(), '--config', `${gateway.dir}/linkspand.json`, '--cleanup');
}

function expectFacts(text: string, { name, facts, absent = [] }: Case): void {
  const lines = text.split('\n');
  const missing = facts.filter((fact) => !lines.some((line) => line === fact || line.startsWith(`${fact} `)));
  expect({ name, missing, text: missing.length > 0 ? text : '' }).toEqual({ name, missing: [], text: '' });
  const foreign = new Set(before.split('\n'));
  const found = lines.filter((line) => !foreign.has(line) && absent.some((word) => line.includes(word)));
  expect({ name, found }).toEqual({ name, found: [] });
}

test('any document after any other leaves what that document alone makes; the end leaves nothing', async () => {
  const [s1, s2] = sandboxes;
  const expected: string[] = [];
  for (const item of CASES) {
    const gateway = await start();
    await apply(gateway, 1, item.spec(s1, s2));
    const text = await state();
    expectFacts(text, item);
    expected.push(text);
    await cleanUp(gateway);
    expect(await state()).toBe(before);
  }
  const seed = Number(process.env['LINKSPAN_TEST_SEED'] ?? Date.now() % 1_000_000);
  process.stdout.write(`transitions: LINKSPAN_TEST_SEED=${seed}\n`);
  const random = seededRandom(seed);
  let gateway = await start();
  const walked: string[] = [];
  for (let step = 1; step <= STEPS; step += 1) {
    const index = Math.floor(random() * CASES.length);
    const item = CASES[index];
    if (item === undefined) throw new Error(`no case ${index}`);
    walked.push(item.name);
    // Now and then the service itself is new: it knows then only what the kernel and its state file tell.
    if (random() < 0.15) {
      await gateway.stop();
      gateway = await start(gateway.dir);
    }
    await apply(gateway, step, item.spec(s1, s2));
    const now = { seed, walked: walked.slice(-2), state: await state() };
    expect(now).toEqual({ ...now, state: expected[index] });
  }
  await cleanUp(gateway);
  expect(await state()).toBe(before);
}, 240_000);
