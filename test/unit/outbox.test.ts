import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { type Message, Outbox } from '../../src/control/session/outbox.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

type Setup = {
  outbox: Outbox;
  /** what went out, as `TOPIC PAYLOAD` */
  sent: string[];
  /** has the broker confirm the oldest message of a topic */
  confirm: (topic: string) => void;
  /** said when the outbox is idle */
  newer: string[];
  behind: { now: boolean };
};

function setup(): Setup {
  const [sent, newer, open]: [string[], string[], { topic: string; done: () => void }[]] = [[], [], []];
  const send = ({ topic, payload }: Message, done: () => void): void => {
    sent.push(`${topic} ${payload.toString()}`);
    open.push({ topic, done });
  };
  const onIdle = (): void => {
    for (const state of newer.splice(0)) outbox.put({ topic: 'state', payload: Buffer.from(state), retain: true });
  };
  const behind = { now: false };
  const outbox = new Outbox({ send, onIdle, isBehind: () => behind.now });
  const confirm = (topic: string): void => {
    const at = open.findIndex((one) => one.topic === topic);
    open.splice(at, 1)[0]?.done();
  };
  return { outbox, sent, confirm, newer, behind };
}

const retained = (topic: string, text: string): Message => ({ topic, payload: Buffer.from(text), retain: true });

test('of a topic one message is on its way, and the newest follows it', () => {
  const { outbox, sent, confirm } = setup();
  for (const text of ['1', '2', '3']) outbox.put(retained('a', text));
  outbox.put(retained('b', '1'));
  expect(sent).toEqual(['a 1', 'b 1']);
  confirm('a');
  expect(sent).toEqual(['a 1', 'b 1', 'a 3']);
  confirm('a');
  confirm('b');
  expect([sent.length, outbox.isIdle]).toEqual([3, true]);
});

test('newer state goes out unconfirmed after five seconds, and twice that after it, other topics changing or not', () => {
  const { outbox, sent, newer } = setup();
  outbox.put(retained('state', '1'));
  outbox.put(retained('state', 'older'));
  newer.push('2');
  for (let n = 0; n < 5; n += 1) {
    outbox.put(retained('report', `${n}`));
    jest.advanceTimersByTime(990);
  }
  expect(sent).toEqual(['state 1', 'report 0']);
  jest.advanceTimersByTime(100);
  expect(sent).toEqual(['state 1', 'report 0', 'state 2', 'report 4']);
  newer.push('3');
  jest.advanceTimersByTime(9800);
  expect(sent).toHaveLength(4);
  jest.advanceTimersByTime(300);
  expect(sent.slice(4)).toEqual(['state 3']);
});

test('a confirmation that may be among what waits to be worked on is waited for', () => {
  const { outbox, sent, newer, behind } = setup();
  outbox.put(retained('state', '1'));
  newer.push('2');
  behind.now = true;
  jest.advanceTimersByTime(60_000);
  expect(sent).toEqual(['state 1']);
  behind.now = false;
  jest.advanceTimersByTime(5000);
  expect(sent).toEqual(['state 1', 'state 2']);
});

test('of what is not retained so much is on its way, and more is left out', () => {
  const { outbox, sent, confirm } = setup();
  for (let n = 0; n < 100; n += 1) outbox.put({ topic: 'event', payload: Buffer.from(`${n}`), retain: false });
  expect(sent).toHaveLength(64);
  confirm('event');
  outbox.put({ topic: 'event', payload: Buffer.from('later'), retain: false });
  expect(sent.at(-1)).toBe('event later');
  outbox.put({ topic: 'event', payload: Buffer.from('too many'), retain: false });
  jest.advanceTimersByTime(61_000);
  outbox.put({ topic: 'event', payload: Buffer.from('a minute later'), retain: false });
  expect(sent.slice(-2)).toEqual(['event later', 'event a minute later']);
});

test('the last word goes out at once, and nothing after it', () => {
  const { outbox, sent, confirm } = setup();
  outbox.put(retained('a', '1'));
  outbox.put(retained('a', '2'));
  outbox.putLast('a', Buffer.from('bye'));
  confirm('a');
  jest.advanceTimersByTime(100_000);
  expect(sent).toEqual(['a 1', 'a bye']);
});

test('what is never confirmed is given up though other topics are confirmed all the time', () => {
  const { outbox, sent, confirm } = setup();
  outbox.put(retained('state', '1'));
  outbox.put(retained('state', '2'));
  for (let n = 0; n < 4; n += 1) {
    outbox.put(retained('report', `${n}`));
    jest.advanceTimersByTime(2000);
    confirm('report');
  }
  expect(sent).toContain('state 2');
});

test('what waits goes out in the order in which it was said last: no manifest before a record that it lists', () => {
  const { outbox, sent, confirm } = setup();
  outbox.put(retained('manifest', '1'));
  for (const n of [1, 2]) {
    outbox.put(retained('record', `${n}`));
    outbox.put(retained('manifest', `${n + 1}`));
  }
  outbox.put(retained('page', '3'));
  outbox.put(retained('record', '3'));
  outbox.put(retained('manifest', '4'));
  confirm('manifest');
  confirm('record');
  confirm('page');
  expect(sent.slice(-3)).toEqual(['page 3', 'record 3', 'manifest 4']);
  expect(sent.filter((one) => one.startsWith('manifest'))).toEqual(['manifest 1', 'manifest 4']);
});
