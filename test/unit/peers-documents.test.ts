import { describe, expect, test } from '@jest/globals';
import { parseAlive } from '../../src/peers/alive.ts';
import { parsePage } from '../../src/peers/page.ts';
import { Publisher, type LocalState, type Publication } from '../../src/peers/publisher.ts';
import { digestOf, digestOfBytes, encodeRecord, parseRecord } from '../../src/peers/record.ts';
import { parseMac } from '../../src/model/mac.ts';
import type { MacEntry } from '../../src/model/peer.ts';
import { vni } from './support/values.ts';

const ADDRESS = { fleet: 'plant', vni: vni(7), gw: 'gw-b' };
const GOOD = {
  v: 1,
  fleet: 'plant',
  vni: 7,
  gw: 'gw-b',
  epoch: 1,
  seq: 2,
  iat: 3,
  exp: 4,
  vtep: [{ ip: '198.51.100.2', port: 4789 }],
  mtu: 1450,
  bum: 'replicate',
  caps: [],
  macs: [{ m: '02:00:00:00:00:01', ip: ['10.0.0.1', 'fd00::1'], q: 0, s: 1 }],
  pages: 0,
};
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe('record', () => {
  test('comes back as it was, and unknown fields are ignored', () => {
    const parsed = parseRecord(bytes({ ...GOOD, later: true }), ADDRESS);
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(parsed.value).toEqual(GOOD);
    expect(encodeRecord(parsed.value)).toEqual(bytes(GOOD));
    expect(digestOf(parsed.value)).toMatch(/^[0-9a-f]{16}$/);
  });

  test('names come back, and none leave the bytes as they were before there were names', () => {
    const named = { ...GOOD, macs: [{ ...GOOD.macs[0], n: ['db', 'tags.plant', 'my_app'] }] };
    const parsed = parseRecord(bytes(named), ADDRESS);
    if (!parsed.ok) throw new Error(parsed.reason);
    expect(encodeRecord(parsed.value)).toEqual(bytes(named));
    const empty = parseRecord(bytes({ ...GOOD, macs: [{ ...GOOD.macs[0], n: [] }] }), ADDRESS);
    if (!empty.ok) throw new Error(empty.reason);
    expect(encodeRecord(empty.value)).toEqual(bytes(GOOD));
  });

  test.each([
    ['v', { v: 2 }],
    ['fleet', { fleet: 'x' }],
    ['vni', { vni: 8 }],
    ['gw', { gw: 'gw-c' }],
    ['epoch', { epoch: -1 }],
    ['epoch', { epoch: 2 ** 32 }],
    ['seq', { seq: 1.5 }],
    ['seq', { seq: 2 ** 53 }],
    ['exp', { exp: '4' }],
    ['vtep', { vtep: [] }],
    ['vtep.ip', { vtep: [{ ip: '239.1.1.1', port: 1 }] }],
    ['vtep.ip', { vtep: [{ ip: '0.0.0.0', port: 1 }] }],
    ['vtep.ip', { vtep: [{ ip: 'ff02::1', port: 1 }] }],
    ['vtep.ip', { vtep: [{ ip: '127.0.0.1', port: 1 }] }],
    ['vtep.ip', { vtep: [{ ip: '::1', port: 1 }] }],
    ['vtep.ip', { vtep: [{ ip: 'fe80::1', port: 1 }] }],
    ['vtep.ip', { vtep: [{ ip: '::ffff:192.0.2.1', port: 1 }] }],
    ['vtep.port', { vtep: [{ ip: '10.0.0.1', port: 0 }] }],
    ['mtu', { mtu: 10 }],
    ['bum', { bum: 'rm -rf /' }],
    ['caps', { caps: [1] }],
    ['macs', { macs: {} }],
    ['macs.m', { macs: [{ m: '01:00:5e:00:00:01' }] }],
    ['macs.q', { macs: [{ m: '02:00:00:00:00:01', q: 2 ** 32 }] }],
    ['macs.ip', { macs: [{ m: '02:00:00:00:00:01', ip: ['x'] }] }],
    ['macs.n', { macs: [{ ...GOOD.macs[0], n: 'db' }] }],
    ['macs.n', { macs: [{ ...GOOD.macs[0], n: ['DB'] }] }],
    ['macs.n', { macs: [{ ...GOOD.macs[0], n: ['a..b'] }] }],
    ['macs.n', { macs: [{ ...GOOD.macs[0], n: [7] }] }],
    ['macs.n', { macs: [{ ...GOOD.macs[0], n: Array.from({ length: 66 }, (_, n) => `a${n}`) }] }],
    ['macs', { macs: [GOOD.macs[0], GOOD.macs[0]] }],
  ])('a bad %s is refused by name: %j', (field, over) => {
    const parsed = parseRecord(bytes({ ...GOOD, ...over }), ADDRESS);
    expect(parsed).toMatchObject({ ok: false });
    expect(parsed.ok ? '' : parsed.reason).toContain(`${field}: `);
  });

  test.each([
    Buffer.from('['),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('null'),
    Buffer.from('[]'),
    Buffer.alloc(70_000, 32),
    Buffer.from('['.repeat(60_000)),
  ])('no JSON object (%#)', (payload) => {
    expect(parseRecord(payload, ADDRESS).ok).toBe(false);
    expect(parseAlive(payload, 'gw-b').ok).toBe(false);
  });
});

describe('alive', () => {
  test('one that leaves or is down need not say that it lists nothing', () => {
    for (const state of ['leaving', 'down']) {
      const payload = bytes({ v: 1, gw: 'gw-b', epoch: 1, seq: 2, state });
      expect(parseAlive(payload, 'gw-b')).toMatchObject({ ok: true, value: { vnis: {} } });
    }
  });

  const alive = { v: 1, gw: 'gw-b', epoch: 1, seq: 2, state: 'up', vteps: [], vnis: { 7: [2, '0123456789abcdef'] } };
  test('comes back as it was', () => expect(parseAlive(bytes(alive), 'gw-b')).toEqual({ ok: true, value: alive }));
  test.each([
    { gw: 'gw-c' },
    { state: 'gone' },
    { vnis: { 0: [1, '0123456789abcdef'] } },
    { vnis: { 7: [1] } },
    { vnis: { __proto__x: [1, 'x'] } },
    // it would withdraw all
    { vnis: undefined },
  ])('%j is refused', (over) => expect(parseAlive(bytes({ ...alive, ...over }), 'gw-b').ok).toBe(false));
});

const shape = (publications: readonly { kind: string; payload: Buffer }[]): string[] =>
  publications.map(({ kind, payload }) => (payload.length > 0 ? kind : `${kind} erased`));

const pagesOf = (publications: readonly Publication[]): (number | string)[] =>
  publications.map((one) => (one.kind === 'alive' ? 'alive' : one.payload.length > 0 ? one.page : `-${one.page}`));

describe('publisher', () => {
  let now = 1_000_000_000;
  const born = (): Publisher =>
    new Publisher({ fleet: 'plant', gateway: 'gw-b', epoch: 1, clock: { now: () => now, monotonic: () => 0 } });
  const mac = parseMac('02:00:00:00:00:01');
  const local = (...vnis: number[]): LocalState => ({
    vteps: [{ ip: '198.51.100.2', port: 4789 }],
    networks: vnis.map((n) => ({
      vni: vni(n),
      mtu: 1450,
      bum: 'replicate',
      macs: mac ? [{ m: mac, ip: [], q: 0, s: 1 }] : [],
    })),
  });

  test('publishes what changed, then the manifest, then erasures', () => {
    const publisher = born();
    expect(shape(publisher.snapshot())).toEqual([]);
    expect(shape(publisher.update(local(1, 2)))).toEqual(['record', 'record', 'alive']);
    expect(publisher.update(local(1, 2))).toEqual([]);
    expect(shape(publisher.update(local(1, 3)))).toEqual(['record', 'alive', 'record erased']);
    expect(shape(publisher.snapshot())).toEqual(['record', 'record', 'alive', 'record erased']);
  });

  test('a gateway without networks is born too', () => expect(shape(born().update(local()))).toEqual(['alive']));

  test('renews all records by one manifest after a third of their 24 h', () => {
    const publisher = born();
    publisher.update(local(1));
    now += 7 * 3_600_000;
    expect(publisher.renew()).toEqual([]);
    now += 2 * 3_600_000;
    expect(shape(publisher.renew())).toEqual(['alive']);
  });

  test('an idle gateway says three things a day, however many VNIs it has', () => {
    const publisher = born();
    publisher.update(local(...Array.from({ length: 40 }, (_, n) => n + 1)));
    const said = Array.from({ length: 24 }, () => {
      now += 3_600_000;
      return publisher.renew().length;
    });
    expect(said.reduce((sum, one) => sum + one)).toBe(3);
  });

  const table = (count: number, n?: readonly string[]): MacEntry[] =>
    Array.from({ length: count }, (_, i) => {
      const octets = [i >> 16, (i >> 8) & 255, i & 255].map((byte) => byte.toString(16).padStart(2, '0'));
      return {
        m: parseMac(`02:00:00:${octets.join(':')}`) ?? mac,
        ip: ['10.0.0.1'],
        q: 0,
        s: 1,
        ...(n && { n }),
      } as MacEntry;
    });
  const big = (macs: readonly MacEntry[]): LocalState => ({
    ...local(),
    networks: [{ vni: vni(7), mtu: 1450, bum: 'replicate', macs }],
  });
  test('a table of more than 200 has pages, which the record lists and follows; only what changed is published', () => {
    const publisher = born();
    const macs = table(700);
    const first = publisher.update(big(macs));
    expect(pagesOf(first)).toEqual([1, 2, 3, 0, 'alive']);
    const record = parseRecord(first[3]?.payload ?? Buffer.alloc(0), ADDRESS);
    const page = parsePage(first[1]?.payload ?? Buffer.alloc(0), { ...ADDRESS, page: 2 });
    if (!record.ok || !page.ok) throw new Error('unreadable');
    expect(record.value.parts?.[1]).toEqual([page.value.seq, digestOfBytes(first[1]?.payload ?? Buffer.alloc(0))]);
    expect(pagesOf(publisher.update(big(macs.filter((_, n) => n !== 500))))).toEqual([2, 0, 'alive']);
    expect(pagesOf(publisher.update(big([...table(701).slice(700), ...macs])))).toEqual([2, 3, 0, 'alive']);
    expect(pagesOf(publisher.update(big(macs.slice(0, 450))))).toEqual([2, 0, 'alive', '-3']);
    expect(pagesOf(publisher.snapshot())).toEqual([1, 2, 0, 'alive', '-3']);
    expect(pagesOf(publisher.update(big(macs.slice(440, 450))))).toEqual([0, 'alive', '-1', '-2']);
    expect(pagesOf(publisher.reissue(vni(7)))).toEqual([0, 'alive']);
  });

  test('names that are long make more pages, each within the largest payload', () => {
    const n = Array.from({ length: 65 }, (_, i) => `${'a'.repeat(60)}.${'b'.repeat(60)}.a${i}`);
    const published = born().update(big(table(30, n)));
    expect(published.length).toBeGreaterThan(5);
    expect(Math.max(...published.map(({ payload }) => payload.length))).toBeLessThan(56 * 1024);
  });

  test('what does not fit into the most pages is cut and told', () => {
    const told: number[][] = [];
    const onTruncated = (...args: number[]): void => void told.push(args);
    const clock = { now: () => now, monotonic: () => 0 };
    const publisher = new Publisher({ fleet: 'plant', gateway: 'gw-b', epoch: 1, clock, onTruncated });
    expect(publisher.update(big(table(13_200)))).toHaveLength(66);
    expect(told).toEqual([[7, 13_000, 13_200]]);
  });

  test('the will of a connection that said much is still its own when the next one shows it', () => {
    const publisher = born();
    publisher.update(local());
    const will = publisher.startSession();
    publisher.sessionOpened();
    for (let n = 0; n < 1000; n += 1) publisher.rebirth();
    publisher.startSession();
    publisher.sessionOpened();
    expect(publisher.isOwnAlive(will)).toBe(true);
  });

  test('a will is its own though its connection was cut before it was known to stand', () => {
    const publisher = born();
    publisher.update(local());
    const will = publisher.startSession();
    for (let attempt = 0; attempt < 100; attempt += 1) publisher.startSession();
    expect(publisher.isOwnAlive(will)).toBe(true);
  });

  test('knows its own alives after a thousand attempts to connect', () => {
    const publisher = born();
    const will = publisher.startSession();
    publisher.sessionOpened();
    const [birth] = publisher.update(local());
    for (let attempt = 0; attempt < 1000; attempt += 1) publisher.startSession();
    expect([publisher.isOwnAlive(will), publisher.isOwnAlive(birth?.payload ?? will)]).toEqual([true, true]);
  });

  test('knows its own alives, wills included', () => {
    const publisher = born();
    const will = publisher.startSession();
    const [birth] = publisher.update(local());
    expect([
      publisher.isOwnAlive(will),
      publisher.isOwnAlive(birth?.payload ?? will),
      publisher.isOwnAlive(bytes({ gw: 'gw-b' })),
    ]).toEqual([true, true, false]);
  });
});
