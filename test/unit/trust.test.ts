import { afterAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Envelope, isEnvelope, isSignedBy, parseEnvelope, seal } from '../../src/trust/envelope.ts';
import { makeSigningKey, parsePublicKey } from '../../src/trust/key.ts';
import { makeKeyFile, readKeyFile, readOrMakeKeyFile } from '../../src/trust/key-file.ts';
import { parseTrustRecord } from '../../src/trust/trust-record.ts';
import { formatVniRanges, isInRanges, parseVniRanges } from '../../src/trust/vni-ranges.ts';
import { FleetOwner, gateOf, keyOfSeed, MemoryTrust, trusts, vectors } from './support/trust.ts';
import { vni } from './support/values.ts';

const DIR = mkdtempSync(join(tmpdir(), 'linkspan-trust-'));
afterAll(() => rmSync(DIR, { recursive: true }));

const MAX = 1024 * 1024;
const keyOf = (name: string): ReturnType<typeof keyOfSeed> => keyOfSeed(vectors.keys[name]?.seed ?? '');
const opened = (bytes: Buffer): Envelope => {
  const envelope = parseEnvelope(bytes, MAX);
  if (!isEnvelope(envelope)) throw new Error('no envelope');
  return envelope;
};

describe('the vectors', () => {
  test.each(Object.entries(vectors.keys))('key of %s', (_name, { seed, public: text, id }) => {
    expect(keyOfSeed(seed).public).toMatchObject({ text, id });
    expect(parsePublicKey(text)).toMatchObject({ text, id });
  });

  test.each(vectors.envelopes)('$what', ({ signer, topic, payload, signature, envelope }) => {
    expect(seal(keyOf(signer), topic, Buffer.from(payload)).toString()).toBe(envelope);
    const found = opened(Buffer.from(envelope));
    expect(found.payload.toString()).toBe(payload);
    expect(found.signature.toString('base64url')).toBe(signature);
    expect(isSignedBy(keyOf(signer).public, topic, found)).toBe(true);
  });

  test.each(vectors.refusals_from_gw_a)('refused: $what', ({ reason, topic, bytes }) => {
    const owner = new FleetOwner();
    const gate = gateOf(owner, { gateway: 'gw-z' });
    trusts(gate, owner.enrol('gw-a', keyOf('gw-a')));
    expect(gate.openPeer({ gw: 'gw-a', vni: vni(3), topic }, Buffer.from(bytes))).toBeUndefined();
    expect(gate.status.refused).toMatchObject([{ gateway: 'gw-a', reason, count: 1 }]);
  });
});

describe('an envelope', () => {
  const key = makeSigningKey();
  const anyText = fc.string({ unit: 'grapheme', maxLength: 200 });

  test('gives back what was put into it, on its topic alone', () => {
    const property = fc.property(anyText, anyText, (topic, text) => {
      const payload = Buffer.from(text);
      const found = opened(seal(key, topic, payload));
      expect(found.payload.equals(payload)).toBe(true);
      expect(isSignedBy(key.public, topic, found)).toBe(true);
      expect(isSignedBy(key.public, `${topic}/1`, found)).toBe(false);
    });
    fc.assert(property, { numRuns: 50 });
  });

  test('any bit changed is no valid one', () => {
    const whole = seal(key, 't', Buffer.from('{"a":1}'));
    const property = fc.property(fc.nat(whole.length * 8 - 1), (bit) => {
      const bytes = Buffer.from(whole);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const found = parseEnvelope(bytes, MAX);
      expect(isEnvelope(found) && isSignedBy(key.public, 't', found)).toBe(false);
    });
    fc.assert(property, { numRuns: 300 });
  });

  test('any bytes are taken apart or refused, never thrown at', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseEnvelope(bytes, MAX)));
    fc.assert(fc.property(fc.json(), (text) => void parseEnvelope(Buffer.from(text), MAX)));
  });

  test('too large a payload is refused, unread where it is far too large', () => {
    const text = (length: number): Buffer => seal(key, 't', Buffer.alloc(length, '"'));
    expect(parseEnvelope(text(100), 100)).toMatchObject({ keyId: key.public.id });
    expect(parseEnvelope(text(101), 100)).toBe('malformed');
    expect(parseEnvelope(Buffer.alloc(1000, '{'), 100)).toBe('malformed');
  });
});

describe('a trust record', () => {
  const { text } = makeSigningKey().public;
  const good = { v: 1, fleet: 'plant', gw: 'gw-b', key: text, vnis: [[1, 4], [9, 9]], serial: 7, iat: 5 }; // prettier-ignore
  const read = (over: object): ReturnType<typeof parseTrustRecord> =>
    parseTrustRecord(Buffer.from(JSON.stringify({ ...good, ...over })), { fleet: 'plant', gw: 'gw-b' });

  test('is read', () => {
    expect(read({ further: 1 })).toMatchObject({ ok: true, value: { serial: 7, grant: { vnis: [[1, 4], [9, 9]] } } }); // prettier-ignore
    expect(read({ revoked: true, key: undefined, vnis: undefined })).toMatchObject({ value: { grant: 'revoked' } });
  });

  test.each([
    { v: 2 },
    { fleet: 'other' },
    { gw: 'gw-c' },
    { key: undefined },
    { key: `${text}A` },
    { vnis: undefined },
    { vnis: 'none' },
    { vnis: [[4, 1]] },
    { vnis: [[0, 1]] },
    { vnis: [[1, 2 ** 24]] },
    { vnis: [[1]] },
    { vnis: Array.from({ length: 257 }, () => [1, 1]) },
    { serial: -1 },
    { serial: 1.5 },
    { serial: 2 ** 60 },
    { iat: 'now' },
    { revoked: 'no' },
  ])('%j is refused', (over) => {
    expect(read(over).ok).toBe(false);
  });

  test('VNIs as a person writes them', () => {
    expect(parseVniRanges('1-4,10110')).toEqual([
      [1, 4],
      [10_110, 10_110],
    ]);
    expect(formatVniRanges(parseVniRanges('1-4, 10110'))).toBe('1-4,10110');
    expect(formatVniRanges(parseVniRanges('all'))).toBe('all');
    for (const wrong of ['', '0', '4-1', '1-', 'x', '16777216'])
      expect(() => parseVniRanges(wrong)).toThrow('VNI'.toLowerCase());
    expect([4, 5, 10_110].map((n) => isInRanges(parseVniRanges('1-4,10110'), vni(n)))).toEqual([true, false, true]);
  });
});

describe('key files', () => {
  test('are made once, for their owner alone', () => {
    const path = join(DIR, 'deep', 'device.key');
    const made = readOrMakeKeyFile(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readOrMakeKeyFile(path).public.text).toBe(made.public.text);
    expect(() => makeKeyFile(path)).toThrow('EEXIST');
    expect(readdirSync(join(DIR, 'deep'))).toEqual(['device.key']);
    expect(readFileSync(path, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
  });

  test('that others may read, or that hold no key, are refused with a remedy', () => {
    const path = join(DIR, 'open.key');
    makeKeyFile(path);
    chmodSync(path, 0o640);
    expect(() => readKeyFile(path)).toThrow('chmod 600');
    expect(() => readKeyFile(join(DIR, 'none.key'))).toThrow('ENOENT');
    expect(() => readOrMakeKeyFile(DIR)).toThrow(DIR);
  });
});

describe('the gate', () => {
  const keyB = makeSigningKey();
  const TOPIC = 'linkspan/v1/plant/vni/7/gw/gw-b';
  const said = { gw: 'gw-b', vni: vni(7), topic: TOPIC };
  const payload = Buffer.from('{"v":1}');
  const sealed = seal(keyB, TOPIC, payload);

  test('require takes what the enrolled key has signed, and nothing else', () => {
    const owner = new FleetOwner();
    const gate = gateOf(owner);
    expect(gate.openPeer(said, sealed)).toBeUndefined();
    expect(gate.followed).toEqual(['gw-a', 'gw-b']);
    expect(trusts(gate, owner.enrol('gw-b', keyB, [[7, 7]]))).toBe(true);
    expect(gate.openPeer(said, sealed)).toEqual({ payload, signer: keyB.public.id });
    expect(gate.openPeer(said, payload)).toBeUndefined();
    expect(gate.openPeer({ ...said, vni: vni(8) }, sealed)).toBeUndefined();
    expect(gate.admits('gw-b', vni(7), keyB.public.id)).toBe(true);
    expect(gate.admits('gw-b', vni(8), keyB.public.id)).toBe(false);
    expect(gate.admits('gw-b', vni(7), undefined)).toBe(false);
    trusts(gate, owner.revoke('gw-b'));
    expect(gate.openPeer(said, sealed)).toBeUndefined();
    expect(gate.admits('gw-b', undefined, keyB.public.id)).toBe(false);
    expect(gate.status.refused_total).toEqual({ unknown: 1, unsigned: 1, vni: 1, revoked: 1 });
  });

  test('a revocation holds on a full disk too, and is stored when the broker shows it again with room for it', () => {
    const [owner, key, told] = [new FleetOwner(), makeSigningKey(), [] as string[]];
    const [disk, room] = [new MemoryTrust(), { isThere: true }];
    const save: MemoryTrust['save'] = (...row) => {
      if (!room.isThere) throw new Error('database or disk is full');
      disk.save(...row);
    };
    const store = { load: disk.load, save };
    const gate = gateOf(owner, { store, onEvent: (type) => void told.push(type) });
    trusts(gate, owner.enrol('gw-b', key));
    const revoked = owner.revoke('gw-b');
    room.isThere = false;
    expect(trusts(gate, revoked)).toBe(true);
    expect(gate.admits('gw-b', undefined, key.public.id)).toBe(false);
    expect(trusts(gate, revoked)).toBe(false);
    expect(told.filter((type) => type === 'state.unwritable')).toHaveLength(1);
    room.isThere = true;
    trusts(gate, revoked);
    trusts(gate, revoked);
    const shown = owner.enrol('gw-c', key);
    expect(trusts(gateOf(owner, { store: disk }), revoked)).toBe(false);
    expect(trusts(gateOf(owner, { store: disk }), shown)).toBe(true);
  });

  test('a revocation outlives a restart and an old record shown again; another fleet key knows neither', () => {
    const [owner, store] = [new FleetOwner(), new MemoryTrust()];
    const enrolled = owner.enrol('gw-b', keyB);
    const gate = gateOf(owner, { store });
    for (const statement of [enrolled, owner.revoke('gw-b'), enrolled]) trusts(gate, statement);
    const later = gateOf(owner, { store });
    expect(trusts(later, enrolled)).toBe(false);
    expect(later.openPeer(said, sealed)).toBeUndefined();
    expect(later.status.refused.map(({ reason }) => reason)).toEqual(['revoked']);
    expect(gateOf(new FleetOwner(), { store }).followed).toEqual(['gw-a']);
  });

  test.each([
    ['unsigned', (owner: FleetOwner) => ({ ...owner.enrol('gw-b', keyB), payload: Buffer.from('{"v":1}') })],
    ['foreign', () => ({ ...new FleetOwner().enrol('gw-b', keyB) })],
    ['forged', (owner: FleetOwner) => ({ ...owner.enrol('gw-b', keyB), ...topicOf('gw-c') })],
    ['malformed', (owner: FleetOwner) => ({ ...owner.enrol('gw-b', keyB), payload: Buffer.from('{"p":1}') })],
  ])('a trust record that is %s is refused', (reason, make) => {
    const owner = new FleetOwner();
    const gate = gateOf(owner);
    expect(trusts(gate, make(owner))).toBe(false);
    expect(gate.status.refused).toMatchObject([{ reason }]);
    expect(gate.followed).toEqual(['gw-a']);
  });

  test('warn takes all and tells; off neither signs nor tells, and opens what others sign', () => {
    const events: string[] = [];
    const onEvent = (_type: string, _level: string, message: string): void => void events.push(message);
    const warn = gateOf(new FleetOwner(), { policy: 'warn', onEvent });
    expect(warn.openPeer(said, sealed)).toEqual({ payload });
    expect(warn.openPeer(said, payload)).toEqual({ payload, json: { v: 1 } });
    expect(events).toEqual([
      `${TOPIC} is taken all the same, by the policy warn: the fleet's key vouches for no such gateway`,
      `${TOPIC} is taken all the same, by the policy warn: it is not signed`,
    ]);
    const off = gateOf(new FleetOwner(), { policy: 'off', onEvent });
    expect(off.seal(TOPIC, payload)).toBe(payload);
    expect([off.openPeer(said, sealed), off.openPeer(said, payload)]).toEqual([
      { payload },
      { payload, json: { v: 1 } },
    ]);
    expect(off.followed).toEqual([]);
    expect(events).toHaveLength(2);
  });

  test("a document is signed by the fleet's key for that gateway; this gateway's own topics by its own", () => {
    const [owner, key] = [new FleetOwner(), makeSigningKey()];
    const gate = gateOf(owner, { key });
    const topic = 'linkspan/v1/plant/gw/gw-a/desired';
    expect(gate.openOrder(topic, seal(owner.key, topic, payload), MAX)).toEqual(payload);
    expect(gate.openOrder(topic, seal(owner.key, topic.replace('gw-a', 'gw-b'), payload), MAX)).toBeUndefined();
    expect(gate.openOrder(topic, seal(key, topic, payload), MAX)).toBeUndefined();
    expect(gate.openOrder(topic, payload, MAX)).toBeUndefined();
    expect(gate.openOwn(topic, gate.seal(topic, payload))).toEqual(payload);
    expect(gate.openOwn(topic, seal(keyB, topic, payload))).toHaveLength(0);
    expect(gate.openOwn(topic, payload)).toHaveLength(0);
  });

  test('what it says of itself', () => {
    const [owner, key, events] = [new FleetOwner(), makeSigningKey(), [] as string[]];
    const gate = gateOf(owner, { key, onEvent: (type) => void events.push(type) });
    expect(gate.status).toMatchObject({ policy: 'require', key_id: key.public.id, enrolled: 'no', vnis: null });
    trusts(gate, owner.enrol('gw-a', key, [[1, 4]]));
    expect(gate.status).toMatchObject({ fleet_key_id: owner.key.public.id, enrolled: 'yes', vnis: '1-4' });
    trusts(gate, owner.enrol('gw-a', keyB));
    expect(gate.status.enrolled).toBe('other_key');
    trusts(gate, owner.revoke('gw-a'));
    expect(gate.status.enrolled).toBe('revoked');
    expect(events).toEqual(['trust_enrolled', 'trust_other_key', 'trust_revoked']);
  });

  test('a flood of invented gateways is told ten times and kept within bounds', () => {
    const events: string[] = [];
    const gate = gateOf(new FleetOwner(), { onEvent: (type) => void events.push(type) });
    for (let n = 0; n < 3000; n += 1) {
      const topic = `linkspan/v1/plant/vni/7/gw/gw-${n}`;
      gate.openPeer({ gw: `gw-${n}`, vni: vni(7), topic }, seal(keyB, topic, payload));
    }
    expect(events).toHaveLength(10);
    expect(gate.followed).toHaveLength(1025);
    expect(gate.status.refused).toHaveLength(256);
    expect(gate.status.refused_total).toEqual({ unknown: 3000 });
  });
});

const topicOf = (gw: string): { gw: string; topic: string } => ({ gw, topic: `linkspan/v1/plant/trust/${gw}` });
