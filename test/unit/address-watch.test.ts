import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { AddressConflict, ProbedInterface } from '../../src/host/address-probe.ts';
import { AddressWatch } from '../../src/host/address-watch.ts';
import { mac } from './support/values.ts';

const CONFLICT = { address: '10.20.0.31', mac: mac('02:00:00:00:00:66') };
const probed = (n: number): ProbedInterface => ({
  namespace: `/run/netns/w${n}`,
  inode: n,
  index: 2,
  mac: mac('02:00:00:00:00:31'),
  addresses: [CONFLICT.address],
});
const named = (...names: readonly number[]): ReadonlyMap<string, ProbedInterface> =>
  new Map(names.map((n) => [`w${n}`, probed(n)]));

type Call = {
  readonly probed: ProbedInterface;
  readonly at: number;
  readonly signal: AbortSignal;
  readonly found: (conflict: AddressConflict) => void;
  readonly end: (result: readonly AddressConflict[] | undefined) => Promise<void>;
};

let calls: Call[];
let changes: number;
let watch: AddressWatch;

beforeEach(() => {
  jest.useFakeTimers();
  calls = [];
  changes = 0;
  watch = new AddressWatch({
    probe: (one, found, signal) =>
      new Promise((resolve) => {
        const end: Call['end'] = async (result) => {
          resolve(result);
          await jest.advanceTimersByTimeAsync(0);
        };
        calls.push({ probed: one, at: Date.now(), signal, found, end });
      }),
    clock: { now: () => Date.now(), monotonic: () => Date.now() },
    onChange: () => void (changes += 1),
  });
});
afterEach(() => {
  watch.stop();
  jest.useRealTimers();
});

/** Ends the last probe and says after how many milliseconds the next begins. */
async function pause(result: readonly AddressConflict[] | undefined): Promise<number> {
  const before = calls.length;
  await calls.at(-1)?.end(result);
  const from = Date.now();
  while (calls.length === before) await jest.advanceTimersToNextTimerAsync();
  return (calls.at(-1)?.at ?? 0) - from;
}

test('an interface is asked about when it comes, and ever more rarely; a conflict much sooner', async () => {
  watch.update(named(1));
  expect(calls).toMatchObject([{ probed: { inode: 1 } }]);
  expect([await pause([]), await pause([]), await pause([])]).toEqual([60_000, 120_000, 240_000]);
  for (let n = 0; n < 4; n += 1) await pause([]);
  expect(await pause([])).toBe(900_000);
  expect([await pause([CONFLICT]), await pause([CONFLICT])]).toEqual([3000, 6000]);
  for (let n = 0; n < 6; n += 1) await pause([CONFLICT]);
  expect(await pause([CONFLICT])).toBe(60_000);
  expect(await pause([])).toBe(60_000);
});

test('a conflict is known at once and told once, and its end as well', async () => {
  watch.update(named(1));
  calls[0]?.found(CONFLICT);
  expect([...watch.conflicts()]).toEqual([['w1', [CONFLICT]]]);
  await pause([CONFLICT]);
  // During the next probe it stands, and also where that could not be done.
  expect(watch.conflicts().size).toBe(1);
  expect([await pause(undefined), await pause(undefined)]).toEqual([1000, 2000]);
  expect([watch.conflicts().size, changes]).toEqual([1, 1]);
  await pause([]);
  expect([watch.conflicts().size, changes]).toEqual([0, 2]);
});

test('one that is gone is no longer asked about, and what comes in its name begins anew', async () => {
  watch.update(named(1));
  calls[0]?.found(CONFLICT);
  watch.update(named(2));
  expect(calls[0]?.signal.aborted).toBe(true);
  expect(watch.conflicts().size).toBe(0);
  await calls[0]?.end(undefined);
  watch.update(named(2));
  expect(calls.map((call) => call.probed.inode)).toEqual([1, 2]);
  watch.stop();
  await calls[1]?.end([CONFLICT]);
  await jest.advanceTimersByTimeAsync(1_000_000);
  expect(calls).toHaveLength(2);
  expect(changes).toBe(1);
});

test('hundreds are asked about eight at a time, each once', async () => {
  watch.update(named(...Array.from({ length: 100 }, (_, n) => n)));
  expect(calls).toHaveLength(8);
  for (let n = 0; n < 100; n += 1) {
    expect(calls.length - n).toBeLessThanOrEqual(8);
    await calls[n]?.end([]);
  }
  expect(new Set(calls.map((call) => call.probed.inode)).size).toBe(100);
  expect(calls).toHaveLength(100);
});
