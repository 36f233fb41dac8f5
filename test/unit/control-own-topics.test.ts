import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { OwnTopics } from '../../src/control/session/own-topics.ts';
import { Timers } from '../../src/control/session/timers.ts';

const TOPIC = 'linkspan/v1/plant/gw/gw-a/alive';
const PAYLOAD = Buffer.from('{}');

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

type Setup = {
  own: OwnTopics;
  lull: { isNow: boolean; isBehind: boolean };
  room: { isNow: boolean };
  repeated: string[];
  healed: string[];
};

function setup(): Setup {
  const [repeated, healed]: [string[], string[]] = [[], []];
  const [lull, room] = [{ isNow: true, isBehind: false }, { isNow: true }];
  const own = new OwnTopics({
    clock: { now: Date.now, monotonic: () => performance.now() },
    timers: new Timers(),
    lull,
    mayRepeat: () => room.isNow,
    repeat: (topic) => void repeated.push(topic),
    heal: (topic) => void healed.push(topic),
    onEvent: () => undefined,
  });
  return { own, lull, room, repeated, healed };
}

test('what the broker does not show within two seconds is published again, five times at most', () => {
  const { own, repeated } = setup();
  own.published(TOPIC, PAYLOAD);
  jest.advanceTimersByTime(1900);
  expect(repeated).toEqual([]);
  jest.advanceTimersByTime(200);
  expect(repeated).toEqual([TOPIC]);
  // each time it waits for twice as long
  jest.advanceTimersByTime(12_000);
  expect(repeated).toHaveLength(3);
  jest.advanceTimersByTime(200_000);
  expect(repeated).toHaveLength(5);
});

test('what is older than something that waits is not repeated before that is out', () => {
  const { own, room, repeated } = setup();
  room.isNow = false;
  own.published(TOPIC, PAYLOAD);
  jest.advanceTimersByTime(60_000);
  expect(repeated).toEqual([]);
  room.isNow = true;
  jest.advanceTimersByTime(2000);
  expect(repeated).toEqual([TOPIC]);
});

test('while the broker gives out much it waits, but not for ever; what is not ours is healed at once', () => {
  const { own, lull, repeated, healed } = setup();
  lull.isNow = false;
  own.published(TOPIC, PAYLOAD);
  own.published(`${TOPIC}/2`, PAYLOAD);
  own.received(`${TOPIC}/2`, Buffer.from('forged'));
  jest.advanceTimersByTime(8100);
  expect([repeated, healed]).toEqual([[], [`${TOPIC}/2`, `${TOPIC}/2`, `${TOPIC}/2`, `${TOPIC}/2`]]);
  jest.advanceTimersByTime(2000);
  expect(repeated).toEqual([TOPIC]);
});

test('while what has come waits to be worked on nothing is repeated, however long', () => {
  const { own, lull, repeated } = setup();
  Object.assign(lull, { isNow: false, isBehind: true });
  own.published(TOPIC, PAYLOAD);
  jest.advanceTimersByTime(100_000);
  expect(repeated).toEqual([]);
  Object.assign(lull, { isNow: true, isBehind: false });
  jest.advanceTimersByTime(2000);
  expect(repeated).toEqual([TOPIC]);
});

test('nothing is repeated that came back before the lull', () => {
  const { own, lull, repeated } = setup();
  lull.isNow = false;
  own.published(TOPIC, PAYLOAD);
  jest.advanceTimersByTime(4000);
  own.received(TOPIC, PAYLOAD);
  lull.isNow = true;
  jest.advanceTimersByTime(60_000);
  expect(repeated).toEqual([]);
});
