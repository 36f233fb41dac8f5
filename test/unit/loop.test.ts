import { describe, expect, test } from '@jest/globals';
import { isLoopProbe } from '../../src/datapath/frame.ts';
import type { LoopProber } from '../../src/model/guards.ts';
import { loopProbe, readLoopProbe } from '../../src/packet/loop-probe.ts';
import { elementDump, readElementAge } from '../../src/packet/nft-objects.ts';
import { readMessages } from '../../src/packet/netlink-read.ts';
import { attribute, message, nested, NETLINK } from '../../src/packet/netlink.ts';
import { RenewedKeys } from '../../src/control/probes/probe-keys.ts';
import { loopProblems, turned, watchedLoops } from '../../src/control/views/loops.ts';
import type { CycleView } from '../../src/reconcile/cycle.ts';
import { loopRules } from '../../src/reconcile/guards/loop-rules.ts';
import { newFailures } from '../../src/status/failures.ts';
import { type Json, overlay, workload } from './support/documents.ts';
import { newHost } from './support/hosts.ts';
import type { Kernel } from './support/kernel.ts';
import { converge, desired, look } from './support/planning.ts';
import { mac } from './support/values.ts';

const KEY = Buffer.from('0102030405060708', 'hex');
const MAC = mac('02:00:00:00:00:0a');
const prober = (gateway: string, vni = 10_110): LoopProber => ({ vni, gateway, key: KEY, former: undefined });
const rulesOf = (who: LoopProber): string => loopRules({ plant: 'lan0', overlay: 'lsx-net', prober: who });

describe('a probe', () => {
  const frame = loopProbe(MAC, prober('gw-a'));

  test('is a broadcast of 94 bytes that says whose it is', () => {
    expect(frame).toHaveLength(94);
    expect(frame.toString('hex', 0, 34)).toBe('ffffffffffff02000000000a88b54c534c5001020304050607080000277e67772d61');
    expect(readLoopProbe(frame)).toEqual({ vni: 10_110, gateway: 'gw-a' });
    const marked = Buffer.concat([loopProbe(MAC, prober('x'.repeat(63))).subarray(0, 93), Buffer.of(1)]);
    expect(readLoopProbe(marked)?.gateway).toHaveLength(63);
  });

  test('is told from all else, whatever is sent', () => {
    expect(readLoopProbe(frame.subarray(0, 93))).toBeUndefined();
    for (const [at, byte] of [
      [13, 0xb6],
      [14, 0],
      [30, 0],
      [30, 0x0a],
      [92, 0x61],
    ] as const) {
      const other = Buffer.from(frame);
      other.writeUInt8(byte, at);
      expect(readLoopProbe(other)).toBeUndefined();
    }
    expect(isLoopProbe(frame, 0)).toBe(true);
    expect(isLoopProbe(Buffer.concat([Buffer.of(2), frame.subarray(1)]), 0)).toBe(false);
    expect(isLoopProbe(Buffer.concat([frame.subarray(0, 14), Buffer.alloc(80)]), 0)).toBe(false);
  });
});

const body = (name: string, rules: string): readonly string[] =>
  (new RegExp(`chain ${name} \\{\n(.*?)  \\}\n`, 's').exec(rules)?.[1] ?? '').trim().split(/\n */);

/** Whether the rules let a frame pass at once, as nftables compares: bytes, from the first on. */
function passes(rules: string, frame: Buffer): boolean {
  for (const rule of body('probes', rules).slice(2)) {
    const [, at, length, sign, value = '', verdict] = /^@ll,(\d+),(\d+) ([<>]) 0x(\w+) (.+)$/.exec(rule) ?? [];
    if (sign === undefined) break;
    const piece = frame.subarray(Number(at) / 8, (Number(at) + Number(length)) / 8);
    const compared = Buffer.compare(piece, Buffer.from(value, 'hex'));
    if (sign === '<' ? compared < 0 : compared > 0) return verdict === 'goto later';
  }
  return false;
}

describe('the rules', () => {
  test('of all that one loop joins, the probes of the last alone come round', () => {
    const names = ['a', 'gw', 'gw-1', 'gw-10', 'gw-2', `${'x'.repeat(40)}a`, `${'x'.repeat(40)}b`, 'x'.repeat(63)];
    const all = [7, 10_110].flatMap((vni) => names.map((name) => prober(name, vni)));
    const carriedByAll = (own: LoopProber): boolean =>
      all.filter((other) => other !== own).every((other) => passes(rulesOf(other), loopProbe(MAC, own)));
    expect(all.filter((own) => carriedByAll(own))).toEqual([prober('x'.repeat(63))]);
    expect(passes(rulesOf(prober('gw')), loopProbe(MAC, prober('gw')))).toBe(false);
  });

  test('cut where the own probe comes back, by either port, and nothing but that passes a cut port', () => {
    const rules = rulesOf(prober('gw-a'));
    const own = '@ll,144,96 { 0x01020304050607080000277e }';
    const cut = 'update @cut { meta iiftype timeout 300s } drop';
    expect(body('overlay_in', rules)[1]).toBe(`ether type 0x88b5 @ll,112,32 0x4c534c50 ${own} goto own`);
    expect(body('own', rules).slice(0, 2)).toEqual([`@ll,744,8 0 ${cut}`, `meta iiftype != @later ${cut}`]);
    expect(body('own', rules).at(-1)).toBe(cut);
    expect(body('probes', rules).slice(0, 2)).toEqual([`${own} goto own`, 'meta iiftype @cut drop']);
    expect(body('plant_out', rules).slice(1)).toEqual([
      `ether type 0x88b5 @ll,112,32 0x4c534c50 ${own} accept`,
      'meta oiftype @cut counter name loop_in drop',
    ]);
  });

  test('know the own probe by its former key, too, which is renewed each minute while a loop is cut', () => {
    let now = 0;
    const keys = new RenewedKeys({ now: () => 0, monotonic: () => now });
    const first = keys.keys.key;
    now = 60_000;
    expect(keys.renew(false)).toBe(false);
    expect(keys.renew(true)).toBe(true);
    expect(keys.renew(true)).toBe(false);
    expect(keys.keys.former).toBe(first);
    expect(keys.keys.key).not.toEqual(first);
    const known = [keys.keys.key, first].map((key) => `0x${key.toString('hex')}0000277e`);
    expect(rulesOf({ ...prober('gw-a'), ...keys.keys })).toContain(`@ll,144,96 { ${known.join(', ')} } goto own`);
  });
});

const milliseconds = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};
const elements = (...parts: readonly Buffer[]): ReturnType<typeof readMessages> =>
  readMessages(message(0x0a0c, NETLINK.DUMP, 0, Buffer.alloc(4), nested(3, ...parts)));

test('the kernel is asked for one set, and tells when a probe was back last', () => {
  const [asked] = readMessages(elementDump({ family: 'netdev', name: 'linkspan-x/y' }, 'cut'));
  expect(asked?.type).toBe(0x0a0d);
  expect(asked?.payload[0]).toBe(5);
  const element = nested(1, attribute(4, milliseconds(300_000n)), attribute(5, milliseconds(299_250n)));
  expect(elements(element).map((one) => readElementAge(one))).toEqual([750]);
  expect(elements().map((one) => readElementAge(one))).toEqual([undefined]);
  expect(elements(nested(1, attribute(4, Buffer.of(1)))).map((one) => readElementAge(one))).toEqual([undefined]);
});

const PORT = 'lsv-eth1.110';
const TABLE = `netdev linkspan-lsx-net/${PORT}` as const;
const wish = (rest: Json = {}): ReturnType<typeof desired> =>
  desired(
    { net: overlay(10_110, { subnet: '10.110.0.0/24', stretch: { uplink: 'lan2', vlan: 110 }, ...rest }) },
    { w: workload({ net: { address: '10.110.0.21' } }, 's1') },
  );
const tables = (kernel: Kernel, state = wish()): readonly string[] =>
  look(kernel, state).steps.flatMap((step) =>
    step.kind === 'guards.apply' ? [`${step.body === '' ? 'no ' : ''}${step.table}`] : [],
  );
const viewOf = (kernel: Kernel): CycleView => {
  const state = wish();
  const { intent } = converge(kernel, state);
  return { desired: state, intent, seen: kernel.observe() } as CycleView;
};

describe('a stretched network', () => {
  test('looks for loops between its two ports, from before they are joined', () => {
    const kinds = look(newHost(), wish()).steps.map((step) => (step.kind === 'link.adjust' ? step.name : step.kind));
    expect(kinds.lastIndexOf('guards.apply')).toBeLessThan(kinds.indexOf(PORT));
    const kernel = newHost();
    converge(kernel, wish());
    expect([...kernel.guards.tables.keys()].filter((key) => key.includes('/'))).toEqual([TABLE]);
    expect(tables(kernel)).toEqual([]);
    expect(watchedLoops(viewOf(kernel))).toMatchObject([{ network: 'net', port: { name: PORT } }]);
  });

  test('does not where that is off, or with another port: then the other table goes', () => {
    const kernel = newHost();
    converge(kernel, wish());
    expect(tables(kernel, wish({ guards: { loop: 'off' } }))).toEqual([`no ${TABLE}`]);
    const vlan = tables(kernel, wish({ stretch: { uplink: 'lan2', vlan: 111 } }));
    expect(vlan).toEqual(expect.arrayContaining(['netdev linkspan-lsx-net/lsv-eth1.111', `no ${TABLE}`]));
    expect(tables(kernel, desired({}))).toContain(`no ${TABLE}`);
  });

  test('where the kernel cannot cut what goes out, says so', () => {
    const kernel = newHost();
    kernel.guards.hooks = 'in';
    const { waiting } = converge(kernel, wish());
    expect([...kernel.guards.tables.keys()].filter((key) => key.includes('/'))).toEqual([]);
    expect(waiting.get('network/net')).toMatchObject({ code: 'guards_unavailable' });
    expect(waiting.get('network/net')?.message).toContain('Linux 5.16');
    expect(converge(kernel, wish({ guards: { loop: 'off' } })).waiting.has('network/net')).toBe(false);
  });

  test('cut off, forgets the devices there, says so, and speaks up for its workloads', () => {
    const kernel = newHost();
    const whole = viewOf(kernel);
    kernel.bridges.learn('lsb-net', '02:00:00:00:00:0b', PORT);
    kernel.guards.cut = new Set([TABLE]);
    expect(look(kernel, wish()).steps).toMatchObject([
      { kind: 'bridge.sync', add: [], remove: [{ mac: '02:00:00:00:00:0b', port: PORT }] },
    ]);
    const cut = viewOf(kernel);
    const problem = loopProblems(cut, () => ['gw-a', 'gw-c']).get('network/net');
    expect(problem).toMatchObject({ code: 'loop', path: '/spec/networks/net/stretch' });
    expect(problem?.message).toContain('the VLAN of gateway gw-a, gw-c is reached by a second way');
    expect(loopProblems(cut, () => undefined).size).toBe(0);
    expect(loopProblems(whole, () => []).size).toBe(0);
    expect([turned(whole, cut).length, turned(cut, cut).length, turned(undefined, whole).length]).toEqual([1, 0, 0]);
  });

  test('a loop that comes and goes is told twice', () => {
    const problem = { path: '', code: 'loop', message: 'a loop' } as const;
    const [without, withLoop] = [new Map(), new Map([['network/net', problem]])];
    expect(newFailures(without, withLoop)).toEqual([{ type: 'loop.cut', level: 'warning', message: 'a loop' }]);
    expect(newFailures(withLoop, withLoop)).toEqual([]);
    expect(newFailures(withLoop, without)).toMatchObject([{ type: 'loop.gone', level: 'info' }]);
  });
});
