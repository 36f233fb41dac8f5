import { describe, expect, test } from '@jest/globals';
import { type Evidence, judge, resumed, secondsLeft } from '../../src/control/documents/trial.ts';
import { touchesTheWay } from '../../src/document/index.ts';
import type { Problem } from '../../src/model/problem.ts';
import type { Trial } from '../../src/model/trial.ts';
import { bridge, document, documentOf, type Json, macvlan, overlay, parse, workload } from './support/documents.ts';

const FAILED: Problem = { path: '/spec/networks/a', code: 'failed', message: 'network/a: busy' };
const OWED = { broker: true, ownBroker: false, peers: ['gw-b', 'gw-c'], excused: [] };
const trial = (over: Partial<Trial> = {}): Trial => ({
  version: 7,
  backTo: 6,
  started: { boot: 'x', ms: 1000 },
  proofS: 60,
  confirmS: null,
  owed: OWED,
  proven: false,
  confirmed: false,
  starts: 0,
  reverts: false,
  ...over,
});
const at = (seconds: number, over: Partial<Evidence> = {}): Evidence => ({
  now: { boot: 'x', ms: 1000 + seconds * 1000 },
  failing: [],
  moving: false,
  stoodS: 4,
  broker: 'reached',
  down: new Set(),
  ...over,
});
const codes = (one: Trial, evidence: Evidence): readonly string[] => {
  const verdict = judge(one, evidence);
  if (verdict.kind === 'back') return verdict.problems.map(({ code }) => code);
  return verdict.kind === 'commit' ? ['commit'] : ['wait', ...verdict.waitsFor];
};

const asks = (confirmS: number, over: Partial<Trial> = {}): Trial => trial({ confirmS, ...over });
const left = (over: Partial<Trial>, seconds: number): number | null => secondsLeft(trial(over), at(seconds).now);
const touches = (before: Json, after: Json): boolean =>
  touchesTheWay(documentOf(parse(before)).state, documentOf(parse(after)).state);

describe('a document on trial', () => {
  test.each<[string, Partial<Trial>, Partial<Evidence>, string[], string[]]>([
    ['is good once all that worked works', {}, {}, ['commit'], ['commit']],
    ['waits for a cycle', {}, { failing: undefined }, ['wait', 'a cycle that ends'], ['failed']],
    ['waits for the broker', {}, { broker: 'silent' }, ['wait', 'the broker'], ['broker_lost']],
    ['waits while an uplink moves', {}, { moving: true }, ['wait', 'the broker'], ['broker_lost']],
    ['waits for what it asks', {}, { broker: 'unasked' }, ['wait', 'the broker'], ['wait', 'the broker']],
    ['waits for its steps', {}, { failing: [FAILED] }, ['wait', 'steps that fail'], ['failed']],
    ['waits until silent peers would be known', {}, { stoodS: 3.9 }, ['wait', 'the peers'], ['wait', 'the peers']],
    ['waits for each peer', {}, { down: new Set(['gw-c', 'gw-z']) }, ['wait', 'peer gw-c'], ['peer_lost']],
    [
      'owes no broker that was away',
      { owed: { ...OWED, broker: false } },
      { broker: 'silent', moving: true },
      ['commit'],
      ['commit'],
    ],
    [
      'is not proven twice',
      { proven: true },
      { broker: 'silent', failing: [FAILED], down: new Set(['gw-b']) },
      ['commit'],
      ['commit'],
    ],
    [
      'that is the first is not taken back for steps: nothing would be there then',
      { backTo: null },
      { failing: [FAILED] },
      ['wait', 'steps that fail'],
      ['wait', 'steps that fail'],
    ],
    [
      'that is the first is taken back where it cuts the gateway off',
      { backTo: null },
      { failing: [FAILED], broker: 'silent' },
      ['wait', 'steps that fail', 'the broker'],
      ['broker_lost'],
    ],
    [
      'that harms nothing waits for its steps as long as they take',
      { proofS: null },
      { failing: [FAILED] },
      ['wait', 'steps that fail'],
      ['wait', 'steps that fail'],
    ],
  ])('%s', (_, over, evidence, before, after) => {
    expect(codes(trial(over), at(59.9, evidence))).toEqual(before);
    expect(codes(trial(over), at(60, evidence))).toEqual(after);
  });

  test('asks for the confirmation within its own time, which may be shorter or longer than the proof’s', () => {
    expect(codes(asks(300), at(100))).toEqual(['wait', 'the confirmation']);
    expect(codes(asks(300), at(300))).toEqual(['not_confirmed']);
    expect(codes(asks(300, { confirmed: true }), at(100))).toEqual(['commit']);
    expect(codes(asks(300), at(60, { broker: 'silent' }))).toEqual(['broker_lost']);
    expect(codes(asks(5), at(5, { broker: 'silent' }))).toEqual(['not_confirmed']);
    expect(codes(asks(5, { confirmed: true }), at(5, { broker: 'silent' }))).toEqual(['wait', 'the broker']);
    expect(codes(asks(5, { proofS: null }), at(4))).toEqual(['wait', 'the confirmation']);
  });

  test('counts down to whatever ends it first', () => {
    expect(left({}, 0.5)).toBe(60);
    expect(left({ confirmS: 20 }, 5)).toBe(15);
    expect(left({ confirmS: 300, proven: true }, 100)).toBe(200);
    expect(left({ confirmS: 300, confirmed: true }, 10)).toBe(50);
    expect(left({ proofS: null }, 10)).toBeNull();
  });
});

describe('after a restart', () => {
  const now = { boot: 'x', ms: 20_000 };
  const other = { boot: 'y', ms: 5 };

  test('of the service it goes on with its time, twice at most', () => {
    expect(resumed(trial(), now)).toEqual(trial({ starts: 1 }));
    expect(resumed(trial({ starts: 1 }), now)).toMatchObject({ starts: 2 });
    expect(resumed(trial({ starts: 2 }), now)).toMatchObject([{ code: 'restarted' }]);
  });

  test('of the machine it is taken back, unless there is nothing to go back to or nothing to fear', () => {
    expect(resumed(trial(), other)).toMatchObject([{ code: 'restarted' }]);
    expect(resumed(trial({ proofS: null, confirmS: 9 }), other)).toMatchObject([{ code: 'restarted' }]);
    expect(resumed(trial({ backTo: null }), other)).toMatchObject({ started: other });
    expect(resumed(trial({ proofS: null, reverts: true }), other)).toMatchObject({ started: other });
  });
});

describe('what touches the way to broker and peers', () => {
  const lan = { lan: { interface: 'eth0' }, lan2: { interface: 'eth1' } };
  const state = (networks: Json, uplinks: Json = lan, workloads: Json = {}): Json => ({
    v: 1,
    version: 1,
    spec: { uplinks, networks, workloads },
  });
  const line = overlay(5, { subnet: '10.9.0.0/24' });
  const none = state({});

  test.each<[string, Json, Json, boolean]>([
    ['nothing', none, none, false],
    ['an overlay more', none, state({ line }), false],
    ['its engine', state({ line }), state({ line: { ...line, engine: 'user' } }), true],
    ['its VNI', state({ line }), state({ line: { ...line, vni: 6 } }), true],
    ['its guards and MTU', state({ line }), state({ line: { ...line, mtu: 1300, guards: { bumPps: 9 } } }), false],
    ['its way to the plant', state({ line }), state({ line: { ...line, stretch: { uplink: 'lan', vlan: 5 } } }), true],
    ['a network on an uplink', none, state({ m: macvlan() }), true],
    ['one less', state({ m: macvlan() }), none, true],
    ['its mode', state({ m: macvlan() }), state({ m: macvlan({ mode: 'vepa' }) }), true],
    [
      'its range',
      state({ m: macvlan({ subnet: '10.0.0.0/24' }) }),
      state({ m: macvlan({ subnet: '10.0.0.0/24', range: '10.0.0.8/29' }) }),
      false,
    ],
    ['a subnet that hides what lies behind it', none, state({ b: bridge('172.30.0.0/24') }), true],
    ['another uplink', none, state({}, { lan: { interface: 'eth1' }, lan2: { interface: 'eth0' } }), true],
    [
      'WiFi',
      state({}, { a: { interface: 'wlan0', ssid: 'x' } }),
      state({}, { a: { interface: 'wlan0', ssid: 'y' } }),
      true,
    ],
    [
      'how many MACs the switch allows',
      none,
      state({}, { lan: { interface: 'eth0', macLimit: 3 }, lan2: { interface: 'eth1' } }),
      false,
    ],
    ['workloads', state({ line }), document({ line }, { w: workload({ line: {} }) }), false],
  ])('%s', (_, before, after, expected) => {
    const context = [before, after].map((one) => JSON.parse(JSON.stringify(one).replaceAll('wlan0', 'eth1')) as Json);
    expect(touches(context[0] ?? {}, context[1] ?? {})).toBe(expected);
  });
});
