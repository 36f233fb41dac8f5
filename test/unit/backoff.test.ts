import { describe, expect, test } from '@jest/globals';
import { Backoff } from '../../src/reconcile/backoff.ts';

function setup(random = 0.5): { backoff: Backoff; pass: (ms: number) => void } {
  let now = 1000;
  const backoff = new Backoff({ now: () => 0, monotonic: () => now }, () => random);
  return { backoff, pass: (ms) => void (now += ms) };
}

describe('an object that fails', () => {
  test('is tried again after 0.5 s, 1 s, 2 s and so on to a minute', () => {
    const { backoff } = setup();
    const waits = Array.from({ length: 9 }, () => {
      backoff.failed('a', 'no');
      return backoff.next();
    });
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    for (let n = 0; n < 5000; n += 1) backoff.failed('a', 'no');
    expect(backoff.next()).toBe(60_000);
  });

  test.each([
    [0, 375],
    [0.999_999, 625],
  ])('is spread by a quarter each way (%d)', (random, wait) => {
    const { backoff } = setup(random);
    backoff.failed('a', 'no');
    expect(backoff.next()).toBeCloseTo(wait, 0);
  });

  test('is due when its time has come, and holds up nobody', () => {
    const { backoff, pass } = setup();
    backoff.failed('a', 'no');
    backoff.failed('b', 'no');
    backoff.failed('b', 'no');
    expect(['a', 'b', 'c'].map((object) => backoff.isDue(object))).toEqual([false, false, true]);
    pass(499);
    expect([backoff.isDue('a'), backoff.next()]).toEqual([false, 1]);
    pass(1);
    expect(['a', 'b'].map((object) => backoff.isDue(object))).toEqual([true, false]);
    pass(10_000);
    expect(backoff.next()).toBe(0);
  });

  test('says why until nothing is left to do for it, by its latest reason', () => {
    const { backoff } = setup();
    backoff.failed('a', 'busy');
    backoff.failed('a', 'gone\n"');
    backoff.failed('__proto__', 'odd');
    expect([...backoff.problems()]).toEqual([
      ['a', 'gone\n"'],
      ['__proto__', 'odd'],
    ]);
    backoff.retain(new Set(['__proto__']));
    expect([...backoff.problems().keys()]).toEqual(['__proto__']);
    backoff.failed('a', 'busy');
    expect(backoff.next()).toBe(500);
  });
});

test('what nothing is left to do for is forgotten, and a fresh start forgets all', () => {
  const { backoff } = setup();
  for (const object of ['a', 'b', 'c']) backoff.failed(object, 'no');
  backoff.retain(new Set(['b', 'x']));
  expect([...backoff.problems().keys()]).toEqual(['b']);
  backoff.reset();
  expect([backoff.next(), backoff.isDue('b'), backoff.problems().size]).toEqual([undefined, true, 0]);
});
