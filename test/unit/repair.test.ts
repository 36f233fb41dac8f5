import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Lull } from '../../src/control/session/lull.ts';
import { Repair } from '../../src/control/session/repair.ts';
import { Timers } from '../../src/control/session/timers.ts';
import type { Missing } from '../../src/peers/owner.ts';
import { systemClock } from '../../src/service/clock.ts';
import { vni } from './support/values.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const record = (gw: string): Missing => ({ gw, vni: vni(7), page: 0 });

function repair(isBehind: () => boolean = () => false): { repair: Repair; missing: Missing[]; asked: string[] } {
  const [missing, asked]: [Missing[], string[]] = [[], []];
  const timers = new Timers();
  const options = {
    timers,
    lull: new Lull(timers, systemClock, isBehind),
    everything: () => [],
    onAudit: () => undefined,
  };
  const ask = (topics: readonly string[]): void => void asked.push(...topics);
  return { repair: new Repair({ ...options, missing: () => missing, topicOf: ({ gw }) => gw, ask }), missing, asked };
}

test('what never comes is asked for again and again, ever more rarely', () => {
  const { repair: repaired, missing, asked } = repair();
  missing.push(record('lost'));
  repaired.check();
  jest.advanceTimersByTime(1000);
  expect(asked).toEqual(['lost']);
  jest.advanceTimersByTime(600_000);
  expect(asked.length).toBeGreaterThan(10);
  expect(asked.length).toBeLessThan(60);
});

test('nothing is asked for while what has come waits to be worked on, however long', () => {
  const behind = { now: true };
  const { repair: repaired, missing, asked } = repair(() => behind.now);
  missing.push(record('on its way'));
  repaired.check();
  jest.advanceTimersByTime(100_000);
  expect(asked).toEqual([]);
  behind.now = false;
  jest.advanceTimersByTime(300);
  expect(asked).toEqual(['on its way']);
});

test('and holds up nothing that another owner lists', () => {
  const { repair: repaired, missing, asked } = repair();
  missing.push(record('lost'));
  repaired.check();
  jest.advanceTimersByTime(300_000);
  asked.length = 0;
  missing.push(record('fresh'));
  repaired.check();
  jest.advanceTimersByTime(1000);
  expect(asked).toContain('fresh');
  // it comes; that alone has nothing asked for
  missing.pop();
  asked.length = 0;
  repaired.check();
  jest.advanceTimersByTime(1000);
  expect(asked).toEqual([]);
});

test('what came and is missing once more is asked for at once', () => {
  const { repair: repaired, missing, asked } = repair();
  missing.push(record('lost'), record('again'));
  repaired.check();
  jest.advanceTimersByTime(300_000);
  missing.pop();
  repaired.check();
  jest.advanceTimersByTime(1000);
  asked.length = 0;
  missing.push(record('again'));
  repaired.check();
  jest.advanceTimersByTime(1000);
  expect(asked).toContain('again');
});
