import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DEFAULT_GUARDS, GUARD_PROFILES } from '../../src/model/guards.ts';
import { portRules } from '../../src/reconcile/guards/port-rules.ts';
import { sourceRules } from '../../src/reconcile/guards/source-rules.ts';
import type { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { vmLab } from '../lab/vm/lab.ts';

let lab: Lab;
let ends: readonly Namespace[];

beforeEach(async () => {
  lab = await vmLab();
  ends = await Promise.all([lab.namespace('a'), lab.namespace('b')]);
  await lab.veth(end(0), 'wan0', end(1), 'wan0');
  for (const n of [0, 1]) {
    await end(n).ip('address', 'add', `198.51.100.${n + 1}/24`, 'dev', 'wan0');
    await device(n);
  }
});
afterEach(() => lab.close());

function end(n: number): Namespace {
  const [a, b] = ends;
  const found = n === 0 ? a : b;
  if (found === undefined) throw new Error('no namespaces');
  return found;
}

/** The network's port at an end, made anew. */
async function device(n: number): Promise<void> {
  await end(n).attempt('ip', 'link', 'del', 'lsx-line');
  const ways = `local 198.51.100.${n + 1} remote 198.51.100.${2 - n} dstport 4789 nolearning`;
  await end(n).batch([
    `link add lsx-line type vxlan id 10110 ${ways}`,
    `address add 10.110.0.${n + 1}/24 dev lsx-line`,
    'link set lsx-line up',
  ]);
}

/** As `applyGuards` does it. */
function guard(n: number, key: string, body: string): Promise<unknown> {
  const script = `table ${key} {}\nflush table ${key}\ntable ${key} {\n${body}}\n`;
  return lab.run(end(n).inside(['nft', '-f', '-']), { input: script });
}

const rules = (profile: (typeof GUARD_PROFILES)[number]): string =>
  portRules(
    {
      device: 'lsx-line',
      object: 'network/line',
      guards: { ...DEFAULT_GUARDS, profiles: [profile] },
      port: 4789,
      sources: undefined,
    },
    true,
  );
const counter = async (n: number, name: string): Promise<number> => {
  const { stdout } = await end(n).exec('nft', 'list', 'counter', 'netdev', 'linkspan-lsx-line', name);
  return Number(/packets (\d+)/.exec(stdout)?.[1]);
};
const askForLease = (): Promise<unknown> =>
  end(0).attempt('busybox', 'udhcpc', '-n', '-q', '-t', '1', '-T', '1', '-s', '/bin/true', '-i', 'lsx-line');

test('an older kernel takes the rules both ways, again and again, and after its device was made anew', async () => {
  await guard(0, 'inet linkspan-vteps', sourceRules([{ vni: 10_110, addresses: ['198.51.100.2'] }], 4789));
  await guard(1, 'inet linkspan-vteps', sourceRules([{ vni: 10_110, addresses: ['198.51.100.9'] }], 4789));
  expect(await end(0).reaches('10.110.0.2', 3)).toBe(false);
  await guard(1, 'inet linkspan-vteps', sourceRules([{ vni: 10_110, addresses: ['198.51.100.1'] }], 4789));
  for (const profile of GUARD_PROFILES) await guard(0, 'netdev linkspan-lsx-line', rules(profile));
  expect(await end(0).reaches('10.110.0.2', 5)).toBe(true);
  await askForLease();
  expect(await counter(0, 'dhcp_out')).toBe(1);
  // Counters outlive the rules.
  await guard(0, 'netdev linkspan-lsx-line', rules('default'));
  expect(await counter(0, 'dhcp_out')).toBe(1);
  await device(0);
  await guard(0, 'netdev linkspan-lsx-line', rules('default'));
  await askForLease();
  expect(await counter(0, 'dhcp_out')).toBe(2);
  expect(await end(0).reaches('10.110.0.2', 5)).toBe(true);
});
