import { describe, expect, test } from '@jest/globals';
import { documentChanges, touchesTheWay } from '../../src/document/index.ts';
import { firmwareProblem } from '../../src/firmware/problem.ts';
import type { FirmwareStatus } from '../../src/model/firmware.ts';
import { documentOf, type Json, parse, problemsOf } from './support/documents.ts';

const FIRMWARE = { url: 'https://updates.example/linkspan.raucb', version: '1.2.3' };
const wanting = (firmware: unknown, version = 1): Json => ({ v: 1, version, spec: { firmware } });

describe('a document that asks for firmware', () => {
  test('has it activated by hand unless it says otherwise', () => {
    expect(documentOf(parse(wanting(FIRMWARE))).state.firmware).toEqual({ ...FIRMWARE, activate: 'manual' });
    const atOnce = { ...FIRMWARE, activate: 'at_once' };
    expect(documentOf(parse(wanting(atOnce))).state.firmware).toEqual(atOnce);
    expect(documentOf(parse({ v: 1, version: 1, spec: {} })).state).not.toHaveProperty('firmware');
  });

  test.each<[string, Json, string]>([
    ['no version', { url: FIRMWARE.url }, ''],
    ['no url', { version: '1.2.3' }, ''],
    ['a file', { ...FIRMWARE, url: 'file:///data/x.raucb' }, '/url'],
    ['a path', { ...FIRMWARE, url: '/data/x.raucb' }, '/url'],
    ['a secret in the url', { ...FIRMWARE, url: 'https://me:secret@updates.example/x' }, '/url'],
    ['a space in the url', { ...FIRMWARE, url: 'https://updates.example/a b' }, '/url'],
    ['a port that there is not', { ...FIRMWARE, url: 'https://updates.example:99999/x' }, '/url'],
    ['a version of two numbers', { ...FIRMWARE, version: '1.2' }, '/version'],
    ['a version that is none', { ...FIRMWARE, version: 'latest' }, '/version'],
    ['another word for when', { ...FIRMWARE, activate: 'now' }, '/activate'],
    ['an unknown field', { ...FIRMWARE, force: true }, '/force'],
  ])('is refused whole with %s', (_, firmware, path) => {
    expect(problemsOf(parse(wanting(firmware)))).toEqual([`schema /spec/firmware${path}`]);
  });

  test.each(['1.2.3', '0.0.1-rc.1', '1.2.3+20261130.abc'])('takes version %s', (version) => {
    expect(parse(wanting({ ...FIRMWARE, version })).ok).toBe(true);
  });

  test('tells its change, with its default, and is never on trial for it', () => {
    const [none, some] = [documentOf(parse({ v: 1, version: 1, spec: {} })), documentOf(parse(wanting(FIRMWARE, 2)))];
    const whole = { ...FIRMWARE, activate: 'manual' };
    expect(documentChanges(none, some)).toEqual([{ path: '/spec/firmware', after: whole }]);
    expect(documentChanges(some, none)).toEqual([{ path: '/spec/firmware', before: whole }]);
    expect(documentChanges(some, documentOf(parse(wanting(whole))))).toEqual([]);
    const newer = documentOf(parse(wanting({ ...FIRMWARE, version: '1.3.0' }, 3)));
    expect(documentChanges(some, newer)).toEqual([{ path: '/spec/firmware/version', before: '1.2.3', after: '1.3.0' }]);
    expect(touchesTheWay(none.state, some.state)).toBe(false);
  });
});

const status = (over: Partial<FirmwareStatus>): FirmwareStatus => ({
  version: '1.0.0',
  slot: 'A',
  state: 'idle',
  progress: null,
  target_version: null,
  error: null,
  waiting_for: [],
  ...over,
});

describe('the problem of a document that asks for firmware', () => {
  const wish = { ...FIRMWARE, activate: 'manual' } as const;

  test('is that there is none to change', () => {
    expect(firmwareProblem(wish, null)).toMatchObject({ path: '/spec/firmware', code: 'firmware_unavailable' });
    expect(firmwareProblem(undefined, null)).toBeUndefined();
  });

  test('is why it does not run, as long as that is about this version', () => {
    const error = { code: 'wrong_signature', message: 'no' } as const;
    const refused = status({ state: 'refused', target_version: '1.2.3', error });
    expect(firmwareProblem(wish, refused)).toEqual({ path: '/spec/firmware', code: 'firmware_refused', message: 'no' });
    expect(firmwareProblem(wish, { ...refused, target_version: '1.1.0' })).toBeUndefined();
    expect(firmwareProblem(undefined, refused)).toBeUndefined();
    expect(firmwareProblem(wish, status({ state: 'downloading', progress: 3 }))).toBeUndefined();
  });
});
