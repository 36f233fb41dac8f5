import { expect, test } from '@jest/globals';
import { CheckedSignatures } from '../../src/trust/checked.ts';
import { type Envelope, isEnvelope, isSignedBy, parseEnvelope, seal } from '../../src/trust/envelope.ts';
import { makeSigningKey, type SigningKey } from '../../src/trust/key.ts';

const TOPIC = 'linkspan/v1/plant/gw/gw-b/alive';
const key = makeSigningKey();

function said(by: SigningKey, text: string, topic = TOPIC): Envelope {
  const envelope = parseEnvelope(seal(by, topic, Buffer.from(text)), 1000);
  if (!isEnvelope(envelope)) throw new Error('no envelope');
  return envelope;
}

function setup(): { readonly checked: CheckedSignatures; readonly count: () => number } {
  let count = 0;
  const checked = new CheckedSignatures((...args) => ((count += 1), isSignedBy(...args)));
  return { checked, count: () => count };
}

test('the same bytes on the same topic are checked once, and others after them again', () => {
  const { checked, count } = setup();
  const ask = (text: string): boolean => checked.isSignedBy(key.public, TOPIC, said(key, text));
  expect([ask('a'), ask('a'), ask('a'), count()]).toEqual([true, true, true, 1]);
  expect([ask('b'), ask('a'), count()]).toEqual([true, true, 3]);
});

test('what was found good once makes nothing else good', () => {
  const { checked } = setup();
  const [good, other] = [said(key, 'a'), makeSigningKey()];
  expect(checked.isSignedBy(key.public, TOPIC, good)).toBe(true);
  const changed = Buffer.from(good.signature);
  changed[0] = (changed[0] ?? 0) ^ 1;
  expect(checked.isSignedBy(key.public, TOPIC, { ...good, payload: Buffer.from('b') })).toBe(false);
  expect(checked.isSignedBy(key.public, TOPIC, { ...good, signature: changed })).toBe(false);
  expect(checked.isSignedBy(key.public, `${TOPIC}/1`, good)).toBe(false);
  expect(checked.isSignedBy(other.public, TOPIC, good)).toBe(false);
  expect(checked.isSignedBy(other.public, TOPIC, { ...good, keyId: other.public.id })).toBe(false);
  expect(checked.isSignedBy(key.public, TOPIC, good)).toBe(true);
});

test('bytes that are refused are refused each time', () => {
  const { checked, count } = setup();
  const forged = { ...said(makeSigningKey(), 'a'), keyId: key.public.id };
  expect([1, 2].map(() => checked.isSignedBy(key.public, TOPIC, forged))).toEqual([false, false]);
  expect(count()).toBe(2);
});
