import { describe, expect, test } from '@jest/globals';
import { PeerDirectory } from '../../src/peers/directory.ts';
import type { Probed } from '../../src/peers/liveness/probed.ts';
import { encodePage } from '../../src/peers/page.ts';
import type { Publication, Publisher } from '../../src/peers/publisher.ts';
import { digestOf, digestOfBytes } from '../../src/peers/record.ts';
import { MemoryStore } from './support/peer-store.ts';
import { LINE1, alive, born, deliver, give, held, record, setup, state, tell, pagedTable } from './support/peers.ts';

const DAY_MS = 24 * 3_600_000;
const paged = (publisher: Publisher, changed: number): readonly Publication[] =>
  publisher.update({
    ...state({}),
    networks: [
      {
        vni: LINE1,
        mtu: 1450,
        bum: 'replicate',
        macs: pagedTable.map((one, n) => ({ ...one, q: n === 250 ? changed : 0 })),
      },
    ],
  });
const heldNow = (directory: PeerDirectory): (number | undefined)[] => {
  const macs = directory.remotes(LINE1)[0]?.macs;
  return [macs?.length, macs?.find(({ m }) => m === pagedTable[250]?.m)?.q];
};

function probed(reachable: boolean | undefined): Probed | undefined {
  if (reachable === undefined) return undefined;
  return { state: reachable ? 'up' : 'down', rtt: 1, answered: 0, pathMtu: 1500 };
}

function away(
  reachable?: boolean,
  store = new MemoryStore(),
): {
  directory: PeerDirectory;
  events: string[];
  at: { now: number; monotonic: number };
} {
  const one = restarted(store, reachable);
  give(one.directory, record());
  tell(one.directory, alive({ vnis: { [LINE1]: [5, digestOf(record())] }, exp: 90_000 }));
  return one;
}

/** A directory with what the store has. */
function restarted(store: MemoryStore, reachable?: boolean): ReturnType<typeof away> {
  const events: string[] = [];
  const at = { now: 1_000_000, monotonic: 0 };
  const directory = new PeerDirectory({
    fleet: 'plant',
    gateway: 'gw-a',
    store,
    clock: { now: () => at.now, monotonic: () => at.monotonic },
    onEvent: (type) => void events.push(type),
    probes: { of: () => probed(reachable), hurry: () => undefined },
  });
  return { directory, events, at };
}

const pageOf = (gw: string): Buffer =>
  encodePage({ v: 1, fleet: 'plant', vni: LINE1, gw, page: 1, epoch: 1, seq: 1, macs: [] });

describe('pages', () => {
  test('a table is taken when its last page is here, and the one before holds until then', () => {
    const { directory } = setup();
    const publisher = born(1);
    const [one, two, base, manifest] = paged(publisher, 0);
    for (const part of [base, one, manifest]) if (part) deliver(directory, part);
    expect([held(directory), directory.missing(new Set([LINE1]))]).toEqual([[], [{ vni: LINE1, gw: 'gw-b', page: 2 }]]);
    if (two) deliver(directory, two);
    expect(heldNow(directory)).toEqual([401, 0]);
    const [page, newer] = paged(publisher, 7);
    if (newer) deliver(directory, newer);
    expect(heldNow(directory)).toEqual([401, 0]);
    if (page) deliver(directory, page);
    expect(heldNow(directory)).toEqual([401, 7]);
    if (one) deliver(directory, one);
    expect([heldNow(directory), directory.missing(new Set([LINE1]))]).toEqual([[401, 7], []]);
  });

  test('after a restart the table is whole, and the next one takes the pages that have not changed', () => {
    const { directory, store } = setup();
    const publisher = born(1);
    paged(publisher, 0).forEach((part) => deliver(directory, part));
    const again = setup(store).directory;
    expect(heldNow(again)).toEqual([401, 0]);
    const retained = publisher.snapshot();
    paged(publisher, 7).forEach((part) => deliver(again, part));
    expect(again.missing(new Set([LINE1]))).toEqual([{ vni: LINE1, gw: 'gw-b', page: 2 }]);
    retained.forEach((part) => deliver(again, part));
    expect(heldNow(again)).toEqual([401, 7]);
  });

  test('of pages that no record lists only so many are kept, the last; others are asked for', () => {
    const { directory } = setup();
    const names = Array.from({ length: 2000 }, (_, n) => `gw-${n}`);
    for (const gw of names) directory.receivePage({ fleet: 'plant', vni: LINE1, gw, page: 1 }, pageOf(gw));
    expect([directory.peers(), directory.membersOf(new Set([LINE1]))]).toEqual([[], []]);
    for (const gw of names) give(directory, record({ gw, pages: 1, parts: [[1, digestOfBytes(pageOf(gw))]] }));
    expect(held(directory)).toEqual(names.slice(-512));
    expect(directory.missing(new Set([LINE1]))).toHaveLength(2000 - 512);
  });
});

describe('leases', () => {
  test('one that is away for a day and longer than its manifest says is forgotten, and its record taken no more', () => {
    const { directory, events, at } = away();
    tell(directory, alive({ seq: 7, state: 'down' }));
    [at.now, at.monotonic] = [89_000_000, DAY_MS];
    directory.expire();
    expect(held(directory)).toEqual(['gw-b']);
    at.now = 91_000_000;
    directory.expire();
    expect([held(directory), events.at(-1)]).toEqual([[], 'record_expired']);
    expect(give(directory, record())).toBe('stale');
    tell(directory, alive({ seq: 8, vnis: { [LINE1]: [5, digestOf(record())] } }));
    expect(give(directory, record())).toBe('accepted');
  });

  test('one that lives is not, nor does a clock that jumps by years end the lease of one that was heard', () => {
    const { directory, at } = away();
    [at.now, at.monotonic] = [4e12, 2 * DAY_MS];
    directory.expire();
    expect(held(directory)).toEqual(['gw-b']);
    tell(directory, alive({ seq: 7, state: 'down' }));
    at.now = 8e12;
    directory.expire();
    expect(held(directory)).toEqual(['gw-b']);
  });

  test('two days without a broker end no lease, with the clock right and a restart halfway', () => {
    const store = new MemoryStore();
    for (const hours of [24, 48]) {
      const { directory, at } = hours === 24 ? away(undefined, store) : restarted(store);
      for (let hour = hours - 24; hour <= hours; hour += 1) {
        [at.now, at.monotonic] = [1_000_000 + hour * 3_600_000, (hour - hours + 24) * 3_600_000];
        directory.expire();
        expect([held(directory), directory.remotes(LINE1)[0]?.macs.length]).toEqual([['gw-b'], record().macs.length]);
      }
    }
  });

  test.each([
    [true, ['gw-b']],
    [false, []],
    [undefined, []],
  ])('of one that is away for days and whose probe answers: %s', (reachable, expected) => {
    const { directory, at } = away(reachable);
    tell(directory, alive({ seq: 7, state: 'down' }));
    [at.now, at.monotonic] = [4e12, 2 * DAY_MS];
    directory.expire();
    expect(held(directory)).toEqual(expected);
  });
});
