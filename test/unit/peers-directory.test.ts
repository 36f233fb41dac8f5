import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { MacEntry } from '../../src/model/peer.ts';
import { encodeAlive } from '../../src/peers/alive.ts';
import { PeerDirectory } from '../../src/peers/directory.ts';
import { better, type Claim } from '../../src/peers/mobility.ts';
import { Publisher, type Publication } from '../../src/peers/publisher.ts';
import { digestOf, encodeRecord } from '../../src/peers/record.ts';
import { systemClock } from '../../src/service/clock.ts';
import { LINE1, LINE2, alive, born, deliver, entry, give, held, record, setup, state, tell } from './support/peers.ts';
import { MemoryStore } from './support/peer-store.ts';
import { mac, vni } from './support/values.ts';

const device = (q: number): MacEntry => ({ ...entry('02:00:00:00:00:01', q, 0), ip: [] });

describe('acceptance', () => {
  test.each([
    ['newer seq', { epoch: 1, seq: 6 }, 'accepted'],
    ['newer epoch, lower seq', { epoch: 2, seq: 0 }, 'accepted'],
    ['the same', { epoch: 1, seq: 5 }, 'known'],
    ['older seq', { epoch: 1, seq: 4 }, 'stale'],
    ['older epoch, higher seq', { epoch: 0, seq: 99 }, 'stale'],
    ['another VNI has its own floor', { vni: LINE2, epoch: 1, seq: 1 }, 'accepted'],
    ['our own', { gw: 'gw-a', epoch: 9 }, 'own'],
  ])('%s', (_name, over, outcome) => {
    const { directory } = setup();
    give(directory, record());
    expect(give(directory, record(over))).toBe(outcome);
  });

  test('another fleet in the body is refused and told once', () => {
    const { directory, events } = setup();
    const bytes = encodeRecord(record({ fleet: 'other' }));
    expect(directory.receiveRecord({ fleet: 'plant', vni: LINE1, gw: 'gw-b' }, bytes)).toBe('invalid');
    expect(directory.receiveRecord({ fleet: 'plant', vni: LINE1, gw: 'gw-b' }, bytes)).toBe('invalid');
    expect(events).toEqual(['record_invalid']);
  });

  test('what was stored under a former name of this gateway is no peer of its own', () => {
    const { directory, store } = setup();
    give(directory, record({ gw: 'gw-x' }));
    tell(directory, alive({ gw: 'gw-x' }));
    const options = { fleet: 'plant', store, clock: systemClock, onEvent: () => undefined };
    const renamed = new PeerDirectory({ ...options, gateway: 'gw-x' });
    expect([held(renamed), renamed.peers()]).toEqual([[], []]);
  });

  test('a replayed record is refused after a restart too', () => {
    const { directory, store } = setup();
    const old = record();
    give(directory, old);
    give(directory, record({ seq: 9, macs: [] }));
    const again = setup(store).directory;
    expect(held(again)).toEqual(['gw-b']);
    expect(give(again, old)).toBe('stale');
  });

  test('a record seen before but lost is taken back when the manifest lists exactly it', () => {
    const memory = new MemoryStore();
    const first = setup(memory).directory;
    const listed = record();
    give(first, listed);
    tell(first, alive({ vnis: { [String(LINE1)]: [5, digestOf(listed)] } }));
    memory.records.clear();
    const again = setup(memory).directory;
    expect(again.missing(new Set([LINE1]))).toEqual([{ vni: LINE1, gw: 'gw-b', page: 0 }]);
    expect(give(again, record({ mtu: 1400 }))).toBe('stale');
    expect(give(again, listed)).toBe('accepted');
    expect(again.missing(new Set([LINE1]))).toEqual([]);
  });
});

describe('life and death', () => {
  test('an erased record stays and is told', () => {
    const { directory, events } = setup();
    give(directory, record());
    expect(directory.receiveRecord({ fleet: 'plant', vni: LINE1, gw: 'gw-b' }, new Uint8Array())).toBe('erased');
    expect(held(directory)).toEqual(['gw-b']);
    expect(events).toEqual(['record_erased']);
  });

  test('that is not on the broker is away, which is told at once; one of which nobody has said anything is not', async () => {
    const { directory } = setup();
    const away = (): readonly (true | undefined)[] => directory.remotes(LINE1).map((remote) => remote.away);
    let told = 0;
    directory.onChange(() => void (told += 1));
    give(directory, record());
    await settled();
    expect([away(), told]).toEqual([[undefined], 1]);
    for (const [word, seq, expected] of [
      ['down', 6, true],
      ['up', 7, undefined],
      ['down', 8, true],
    ] as const) {
      directory.receiveAlive('gw-b', encodeAlive(alive({ state: word, seq, vnis: { [LINE1]: [5, '0'.repeat(16)] } })));
      await settled();
      expect(away()).toEqual([expected]);
    }
    expect(told).toBe(4);
  });

  test('will, rebirth of the same epoch, and the will once more, late', () => {
    const publisher = new Publisher({
      fleet: 'plant',
      gateway: 'gw-b',
      epoch: 3,
      clock: { now: () => 1e9, monotonic: () => 0 },
    });
    const { directory, events, store } = setup();
    const play = (publications: readonly Publication[]): void => publications.forEach((p) => deliver(directory, p));
    const will = publisher.startSession();
    play(publisher.update(state({ [LINE1]: 1 })));
    expect(directory.peers()).toMatchObject([{ gateway: 'gw-b', state: 'up', vnis: [LINE1] }]);
    directory.receiveAlive('gw-b', will);
    expect(directory.peers()).toMatchObject([{ state: 'suspect', vnis: [LINE1] }]);
    expect(setup(store).directory.peers()).toMatchObject([{ state: 'suspect', vnis: [LINE1] }]);
    publisher.startSession();
    play(publisher.snapshot());
    expect(directory.peers()).toMatchObject([{ state: 'up' }]);
    expect(directory.receiveAlive('gw-b', will)).toBe('stale');
    expect(directory.peers()).toMatchObject([{ state: 'up' }]);
    expect(held(directory)).toEqual(['gw-b']);
    expect(events).toEqual(['peer_up', 'peer_suspect', 'peer_up']);
  });

  test('a newer manifest without a VNI withdraws it; an older one does not', () => {
    const { directory } = setup();
    give(directory, record({ seq: 5 }));
    tell(directory, alive({ seq: 4 }));
    expect(held(directory)).toEqual(['gw-b']);
    tell(directory, alive({ seq: 6 }));
    expect(held(directory)).toEqual([]);
    expect(give(directory, record({ seq: 7 }))).toBe('accepted');
    expect(held(directory)).toEqual(['gw-b']);
  });

  test('leaving withdraws everything', () => {
    const { directory } = setup();
    give(directory, record());
    give(directory, record({ vni: LINE2, seq: 6 }));
    tell(directory, alive({ seq: 7, state: 'leaving' }));
    expect(directory.remotes(LINE2)).toEqual([]);
    expect(directory.peers()).toEqual([]);
  });
});

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const claim = (gateway: string, q: number, s: 0 | 1, isAlive = true): Claim => ({
  gateway,
  alive: isAlive,
  entry: entry('02:00:00:00:00:01', q, s),
});

describe('MACs', () => {
  test('one claim wins everywhere', () => {
    expect(better(claim('b', 2, 0), claim('a', 1, 0))).toBe(true);
    expect(better(claim('b', 1, 1), claim('a', 1, 0))).toBe(true);
    expect(better(claim('b', 1, 1), claim('a', 1, 1))).toBe(false);
    expect(better(claim('b', 1, 0), claim('a', 1, 1, false))).toBe(true);
    expect(better(claim('b', 1, 1), claim('a', 2, 1, false))).toBe(false);
  });

  test('a MAC claimed by two peers is with one of them', () => {
    const { directory } = setup();
    give(directory, record());
    give(directory, record({ gw: 'gw-c', macs: [entry('02:00:00:00:00:01', 1)] }));
    expect(directory.remotes(LINE1).map(({ gateway, macs }) => [gateway, macs.length])).toEqual([
      ['gw-b', 0],
      ['gw-c', 1],
    ]);
  });

  test('a workload that was moved away from a dead gateway is behind the living one', () => {
    const { directory } = setup();
    const vnis = { [String(LINE1)]: [5, '0123456789abcdef'] as const };
    for (const gw of ['gw-b', 'gw-c']) {
      give(directory, record({ gw }));
      tell(directory, alive({ gw, vnis }));
    }
    const owners = (): string[] =>
      directory.remotes(LINE1).flatMap(({ gateway, macs }) => (macs.length > 0 ? [gateway] : []));
    expect(owners()).toEqual(['gw-b']);
    tell(directory, alive({ seq: 7, state: 'down' }));
    expect(owners()).toEqual(['gw-c']);
  });

  test('a peer that claims a MAC of ours is not believed, and what is double is known', async () => {
    const { directory } = setup();
    let changes = 0;
    directory.onChange(() => void (changes += 1));
    directory.setOwnMacs(new Map([[LINE1, [entry('02:00:00:00:00:01')]]]));
    give(directory, record({ macs: [entry('02:00:00:00:00:01', 9), entry('02:00:00:00:00:02')] }));
    give(directory, record({ seq: 8 }));
    expect(directory.remotes(LINE1)[0]?.macs).toEqual([]);
    expect(directory.duplicates()).toEqual([
      {
        vni: LINE1,
        gateway: 'gw-b',
        mac: '02:00:00:00:00:01',
        sameMac: true,
        addresses: ['10.110.0.21'],
      },
    ]);
    await new Promise(setImmediate);
    expect(changes).toBe(1);
  });

  test('an address of ours behind another MAC of a peer’s is known while both have it, in its VNI alone', () => {
    const { directory } = setup();
    const theirs = entry('02:00:00:00:00:02');
    give(directory, record({ macs: [theirs, { ...theirs, m: mac('02:00:00:00:00:03'), ip: ['10.110.0.22'] }] }));
    expect(directory.duplicates()).toEqual([]);
    // Found too where the record came first.
    directory.setOwnMacs(new Map([[LINE1, [entry('02:00:00:00:00:01')]]]));
    const found = { vni: LINE1, gateway: 'gw-b', mac: theirs.m, sameMac: false, addresses: ['10.110.0.21'] };
    expect(directory.duplicates()).toEqual([found]);
    // It is believed that the peer has that MAC: only the address is in doubt.
    expect(directory.remotes(LINE1)[0]?.macs).toContainEqual(theirs);
    directory.setOwnMacs(new Map([[LINE2, [entry('02:00:00:00:00:01')]]]));
    expect(directory.duplicates()).toEqual([]);
    directory.setOwnMacs(new Map([[LINE1, [entry('02:00:00:00:00:01')]]]));
    give(directory, record({ seq: 9, macs: [] }));
    expect(directory.duplicates()).toEqual([]);
  });

  test('a device that we publish too is where the better claim is, and no duplicate', () => {
    const { directory } = setup();
    const [older, ours, newer] = [device(1), device(2), device(3)];
    give(directory, record({ macs: [older] }));
    directory.setOwnMacs(new Map([[LINE1, [ours]]]));
    expect(directory.remotes(LINE1)[0]?.macs).toEqual([]);
    expect(directory.duplicates()).toEqual([]);
    give(directory, record({ seq: 9, macs: [newer] }));
    expect(directory.remotes(LINE1)[0]?.macs).toEqual([newer]);
  });
});

const runs = fc.array(
  fc.record({
    reconnects: fc.boolean(),
    restarts: fc.boolean(),
    vnis: fc.dictionary(fc.constantFrom('1', '2', '3'), fc.integer({ min: 0, max: 3 })),
  }),
  { minLength: 1, maxLength: 8 },
);

/** Everything one gateway publishes in its life, wills included, and what it ends with. */
function lifeOf(steps: readonly { reconnects: boolean; restarts: boolean; vnis: Record<string, number> }[]): {
  all: Publication[];
  last: number[];
} {
  const all: Publication[] = [];
  let publisher = born(1);
  const connect = (): void => void all.push({ kind: 'alive', payload: publisher.startSession() });
  connect();
  for (const step of steps) {
    if (step.restarts) publisher = born(publisher.epoch + 1);
    if (step.restarts || step.reconnects) connect();
    all.push(...publisher.update(state(step.vnis)));
    if (step.reconnects) all.push(...publisher.snapshot());
  }
  return {
    all,
    last: Object.keys(steps.at(-1)?.vnis ?? {})
      .map(Number)
      .sort((a, b) => a - b),
  };
}

test('any order and any repetition of what a gateway published ends in the same held set', () => {
  const plan = runs.chain((steps) => {
    const { all, last } = lifeOf(steps);
    const whole = fc.shuffledSubarray([...all.keys()], { minLength: all.length });
    const repeats = fc.array(fc.nat({ max: all.length - 1 }), { maxLength: 20 });
    return fc
      .tuple(whole, repeats)
      .chain(([order, more]) =>
        fc
          .shuffledSubarray([...order, ...more], { minLength: order.length + more.length })
          .map((sequence) => ({ steps, all, last, sequence })),
      );
  });
  fc.assert(
    fc.property(plan, ({ steps, all, last, sequence }) => {
      const { directory, store } = setup();
      for (const index of sequence) {
        const publication = all[index];
        if (publication) deliver(directory, publication);
      }
      for (const view of [directory, setup(store).directory]) {
        expect([1, 2, 3].filter((id) => view.remotes(vni(id)).length > 0)).toEqual(last);
        for (const { vni: id, macs } of state(steps.at(-1)?.vnis ?? {}).networks)
          expect(
            view
              .remotes(id)[0]
              ?.macs.map(({ m }) => m)
              .toSorted(),
          ).toEqual(macs.map(({ m }) => m).toSorted());
        expect(view.missing(new Set([vni(1), vni(2), vni(3)]))).toEqual([]);
      }
    }),
    { numRuns: 300 },
  );
});
