import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { MessageChannel } from 'node:worker_threads';
import { MAIL_BATCH, takeMail } from '../../src/bin/mailbox.ts';

let channel: MessageChannel;
let taken: unknown[];

beforeEach(() => {
  channel = new MessageChannel();
  taken = [];
});
afterEach(() => channel.port1.close());

const go = (): boolean => takeMail(channel.port2, (mail) => taken.push(mail));

test('mail is taken in order, a batch in one go, and what is left is told', () => {
  const all = Array.from({ length: 2 * MAIL_BATCH + 3 }, (_, index) => index);
  for (const mail of all) channel.port1.postMessage(mail);
  expect([go(), taken.length]).toEqual([true, MAIL_BATCH]);
  expect([go(), taken.length]).toEqual([true, 2 * MAIL_BATCH]);
  expect([go(), taken]).toEqual([false, all]);
  expect(go()).toBe(false);
});

test('mail that comes while mail is taken does not keep a go from ending', () => {
  channel.port1.postMessage(0);
  const answer = takeMail(channel.port2, (mail) => {
    taken.push(mail);
    channel.port1.postMessage(0);
  });
  expect([answer, taken.length]).toEqual([true, MAIL_BATCH]);
});
