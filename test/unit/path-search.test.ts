import { describe, expect, test } from '@jest/globals';
import { PathSearch } from '../../src/peers/liveness/path-search.ts';

type Way = {
  /** what passes */
  readonly mtu: number;
  /** whether the router says so */
  readonly speaks: boolean;
  readonly lost?: (count: number) => boolean;
};

/** Searches over a way until it is done or `seconds` pass; returns how many packets that took. */
function search(over: PathSearch, way: Way, options: { top?: number; from?: number; seconds?: number } = {}): number {
  const { top = 1500, from = 0, seconds = 120 } = options;
  let packets = 0;
  for (let now = from; now <= from + seconds * 1000; now += 50) {
    // small probes: one a second
    const beat = { answered: now - (now % 1000), rtt: 2 };
    const size = over.take(now, top, beat);
    if (size !== undefined) {
      packets += 1;
      if (way.lost?.(packets)) continue;
      if (size <= way.mtu) over.passed(size, now + 2);
      else if (way.speaks) over.named(size, way.mtu, now + 2);
    }
    if (now > from && !over.isSearching) break;
  }
  return packets;
}

describe('the path MTU', () => {
  test('is the own link’s where that passes: one packet', () => {
    const path = new PathSearch(4, 0);
    expect([search(path, { mtu: 9000, speaks: true }), path.mtu]).toEqual([1, 1500]);
  });

  test.each([1400, 1280, 577])('of %d is what a router says it is: two packets', (mtu) => {
    const path = new PathSearch(4, 0);
    expect([search(path, { mtu, speaks: true }), path.mtu]).toEqual([2, mtu]);
  });

  test.each([4, 6] as const)('is found to the byte where no router speaks, IPv%d', (family) => {
    for (const mtu of [1499, 1454, 1400, 1301, 1281]) {
      const path = new PathSearch(family, 0);
      search(path, { mtu, speaks: false });
      expect(path.mtu).toBe(mtu);
    }
  });

  test('is never below what every way passes', () => {
    const path = new PathSearch(6, 0);
    search(path, { mtu: 600, speaks: true });
    expect(path.mtu).toBe(1280);
  });

  test('is found where every third packet is lost', () => {
    const path = new PathSearch(4, 0);
    search(path, { mtu: 1400, speaks: true, lost: (count) => count % 3 === 1 });
    expect(path.mtu).toBe(1400);
  });

  test('is not made small by a way that passes nothing for a while', () => {
    const path = new PathSearch(4, 0);
    for (let now = 0; now < 5000; now += 50) path.take(now, 1500, { answered: -1000, rtt: 2 });
    expect(path.mtu).toBeUndefined();
    search(path, { mtu: 1500, speaks: false }, { from: 5000 });
    expect(path.mtu).toBe(1500);
  });

  test('is looked for again after ten minutes, where it is the link’s after one, at once where the link changes, and after an error soon but not always', () => {
    const path = new PathSearch(4, 0);
    const asks = (now: number, top = 1500): boolean => path.take(now, top, { answered: now, rtt: 2 }) !== undefined;
    search(path, { mtu: 1400, speaks: true });
    expect([asks(300_000), asks(600_200)]).toEqual([false, true]);
    path.passed(1500, 600_202);
    expect([asks(600_300), asks(660_300)]).toEqual([false, true]);
    path.passed(1500, 660_302);
    path.disturb(660_310);
    expect([asks(661_000), asks(670_400)]).toEqual([false, true]);
    path.passed(1500, 670_402);
    expect([asks(671_000), asks(672_000, 1400)]).toEqual([false, true]);
  });

  test('keeps what it was while it is looked for, and while the VTEP is silent', () => {
    const path = new PathSearch(4, 0);
    search(path, { mtu: 1400, speaks: true });
    path.take(600_100, 1500, { answered: 600_000, rtt: 2 });
    path.abort(600_200);
    expect([path.mtu, path.isSearching]).toEqual([1400, false]);
    expect(path.take(600_300, 1500, { answered: 600_300, rtt: 2 })).toBe(1500);
  });

  test('is not changed by an error about another size, nor by one that names a larger one', () => {
    const path = new PathSearch(4, 0);
    path.take(0, 1500, { answered: 0, rtt: 2 });
    path.named(1400, 600, 1);
    path.named(1500, 1500, 1);
    path.passed(1500, 2);
    expect(path.mtu).toBe(1500);
  });
});
