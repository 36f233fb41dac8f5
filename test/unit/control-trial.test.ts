import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Documents } from '../../src/control/documents/documents.ts';
import type { Problem } from '../../src/model/problem.ts';
import type { DocumentRepository } from '../../src/store/documents.ts';
import { document, type Json, macvlan, overlay } from './support/documents.ts';
import { bytes, documentsOn, memoryDocuments } from './support/gateway.ts';

const FAILED: Problem = { path: '/spec/networks/a', code: 'failed', message: 'network/a: busy' };
const of = (version: number, networks: Json = {}, rest: Json = {}): Uint8Array =>
  bytes({ ...document(networks, {}, version), ...rest });
const WIRE = { m: macvlan({ mode: 'vepa' }) };
const CONFIRM = { confirm: { timeout_s: 120 } };

let store: DocumentRepository;
let documents: Documents;
let told: string[];
let now: { boot: string; ms: number };
let broker: { connected: boolean; own: boolean };
/** what the broker's host answers from now on */
let answers: boolean;
let peers: { gateway: string; vnis: number[]; state: string }[];

const around = () => ({
  now: () => ({ ...now }),
  broker: () => broker,
  reachBroker: () => Promise.resolve(answers),
  peers: () => peers,
});
const full = (): never => {
  throw new Error('database or disk is full');
};
const restart = (): void => {
  documents.stop();
  ({ documents, told } = documentsOn(store, around()));
};
/** The looks that the service takes each second. */
const pass = async (seconds: number): Promise<void> => {
  now = { ...now, ms: now.ms + seconds * 1000 };
  documents.settled([]);
  await Promise.resolve();
  documents.settled([]);
};
const submit = (sent: Uint8Array, problems: readonly Problem[] = []): void => {
  expect(documents.submit(sent, 'mqtt')).toMatchObject({ accepted: true });
  documents.settled(problems);
};

beforeEach(() => {
  store = memoryDocuments();
  [now, answers, peers, broker] = [{ boot: 'x', ms: 0 }, true, [], { connected: false, own: false }];
  ({ documents, told } = documentsOn(store, around()));
  submit(of(1));
  expect(documents.status).toMatchObject({ state: 'applied', applied_version: 1, candidate: null });
  broker = { connected: true, own: false };
});

describe('a document that could cut the gateway off', () => {
  test('is not taken back for what failed before it', async () => {
    documents.settled([FAILED]);
    submit(of(2, WIRE), [FAILED]);
    now = { ...now, ms: 5000 };
    documents.settled([FAILED]);
    await Promise.resolve();
    documents.settled([FAILED]);
    expect(documents.status).toMatchObject({ applied_version: 2, lkg_version: 2, candidate: null, errors: [FAILED] });
  });

  test('is the last known good once the broker was reached anew', async () => {
    submit(of(2, WIRE));
    expect(documents.status).toMatchObject({
      state: 'applying',
      applied_version: 1,
      lkg_version: 1,
      candidate: { version: 2, seconds_left: 60, waits_for: ['the broker'] },
    });
    await pass(1);
    expect(documents.status).toMatchObject({ state: 'applied', applied_version: 2, lkg_version: 2, candidate: null });
    expect(store.trial()).toBeUndefined();
  });

  test('is taken back when the broker is not; nothing tries it again, and a higher one is tried', async () => {
    answers = false;
    submit(of(2, WIRE));
    told.length = 0;
    await pass(59);
    expect(documents.status.candidate).toMatchObject({ seconds_left: 1 });
    await pass(1);
    expect(documents.status).toMatchObject({
      state: 'rolled_back',
      applied_version: 1,
      lkg_version: 1,
      errors: [{ code: 'broker_lost' }],
      candidate: null,
    });
    expect(documents.desired.networks).toEqual([]);
    // the session is renewed once the old document stands again, and only then
    expect(told.map((line) => line.split(' ')[0])).toEqual(['config.rolled_back', 'status', 'accepted', 'back']);
    told.length = 0;
    expect(documents.submit(of(2, WIRE), 'mqtt')).toMatchObject({
      accepted: false,
      problems: [{ code: 'rolled_back', message: expect.stringContaining('version 3 or higher') }],
    });
    expect(told).toEqual([]);
    restart();
    expect(documents.status).toMatchObject({ state: 'rolled_back', errors: [{ code: 'broker_lost' }] });
    expect(documents.submit(of(2, WIRE), 'mqtt').accepted).toBe(false);
    expect(documents.submit(of(2), 'mqtt')).toMatchObject({ problems: [{ code: 'version_conflict' }] });
    answers = true;
    submit(of(3, WIRE));
    await pass(1);
    expect(documents.status).toMatchObject({ state: 'applied', applied_version: 3, errors: [] });
  });

  test('owes no broker that was away before', () => {
    broker = { connected: false, own: false };
    answers = false;
    submit(of(2, WIRE));
    expect(documents.status.state).toBe('applied');
  });

  test('is taken back for steps that fail on', async () => {
    submit(of(2, WIRE), [FAILED]);
    now.ms += 60_000;
    documents.settled([FAILED]);
    expect(documents.status).toMatchObject({ state: 'rolled_back', errors: [{ code: 'failed', path: FAILED.path }] });
  });

  test('owes the peers that were up in the VNIs it keeps', async () => {
    submit(of(2, { l: overlay(5), k: overlay(6) }));
    await pass(1);
    peers = [
      { gateway: 'gw-b', vnis: [5], state: 'up' },
      { gateway: 'gw-c', vnis: [5], state: 'down' },
      { gateway: 'gw-d', vnis: [6], state: 'up' },
    ];
    submit(of(3, { l: overlay(5), ...WIRE }));
    for (const peer of peers) peer.state = 'down';
    await pass(1);
    expect(documents.status.candidate?.waits_for).toEqual(['the peers', 'peer gw-b']);
    await pass(3);
    expect(documents.status.candidate?.waits_for).toEqual(['peer gw-b']);
    // the broker goes on saying that they are there
    for (const peer of peers) peer.state = 'suspect';
    await pass(60);
    expect(documents.status).toMatchObject({
      state: 'rolled_back',
      errors: [{ code: 'peer_lost' }],
      applied_version: 2,
    });
  });

  test('replaced by another before it is proven leaves its debts to that', async () => {
    answers = false;
    submit(of(2, WIRE));
    broker = { connected: false, own: false };
    submit(of(3, { ...WIRE, l: overlay(5) }));
    await pass(60);
    expect(documents.status).toMatchObject({
      state: 'rolled_back',
      applied_version: 1,
      errors: [{ code: 'broker_lost' }],
    });
    expect(documents.desired.networks).toEqual([]);
  });

  test.each([
    ['has nothing to prove', {}],
    ['is proven', { l: overlay(6) }],
  ])('owes what works, also where the one before it %s and waits for its confirmation', async (_, networks) => {
    submit(of(2, { l: overlay(5) }));
    if ('l' in networks) broker = { connected: false, own: false };
    submit(of(3, { l: overlay(5), ...networks }, CONFIRM));
    await pass(1);
    expect(documents.status.state).toBe('confirming');
    [broker, answers] = [{ connected: true, own: false }, false];
    peers = [{ gateway: 'gw-b', vnis: [5, 6], state: 'up' }];
    submit(of(4, { l: overlay(5), ...networks, ...WIRE }));
    peers = [{ gateway: 'gw-b', vnis: [5, 6], state: 'down' }];
    await pass(1);
    await pass(60);
    expect(documents.status).toMatchObject({
      state: 'rolled_back',
      applied_version: 2,
      errors: [{ code: 'broker_lost' }, { code: 'peer_lost' }],
    });
  });

  test('has its time whatever becomes of the service, and not over a restart of the machine', async () => {
    answers = false;
    submit(of(2, WIRE));
    now.ms += 30_000;
    restart();
    expect(documents.status).toMatchObject({ state: 'applying', candidate: { version: 2, seconds_left: 30 } });
    await pass(31);
    expect(documents.status).toMatchObject({ state: 'rolled_back', applied_version: 1 });
    documents.submit(of(3, WIRE), 'mqtt');
    now = { boot: 'y', ms: 100 };
    restart();
    expect(documents.status).toMatchObject({
      state: 'rolled_back',
      applied_version: 1,
      errors: [{ code: 'restarted' }],
    });
    expect(told[0]).toMatch(/^config.rolled_back error: version 3 was taken back: the machine was restarted/);
  });

  test('that cannot be read any more is taken back', () => {
    documents.submit(of(2, WIRE), 'mqtt');
    const running = store.get(2);
    const older = {
      ...store,
      get: (version: number) => (running && version === 2 ? { ...running, body: '{}' } : store.get(version)),
    };
    documents.stop();
    ({ documents, told } = documentsOn(older, around()));
    expect(documents.status).toMatchObject({ state: 'rolled_back', applied_version: 1, candidate: null });
    expect(documents.desired.networks).toEqual([]);
  });

  test.each(['goBack', 'markApplied'] as const)('ends at a later look where the disk is full (%s)', async (write) => {
    jest.useFakeTimers();
    let isFull = true;
    documents.stop();
    const disk = new Proxy(store, {
      get: (target, name: keyof DocumentRepository) => (name === write && isFull ? full : target[name]),
    });
    ({ documents, told } = documentsOn(disk, around()));
    answers = write === 'markApplied';
    documents.submit(of(2, WIRE), 'mqtt');
    documents.settled([]);
    for (let n = 0; n < 63; n += 1) {
      now.ms += 1000;
      await jest.advanceTimersByTimeAsync(1000);
    }
    expect(documents.status).toMatchObject({ applied_version: 1, candidate: { version: 2 } });
    expect(told.filter((line) => line.startsWith('config.unsaved'))).toHaveLength(1);
    isFull = false;
    await jest.advanceTimersByTimeAsync(1000);
    expect(documents.status.candidate).toBeNull();
    expect(documents.status.lkg_version).toBe(answers ? 2 : 1);
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  test.each(['saveTrial', 'goBack'] as const)('goes on where the disk is full at a start (%s)', async (write) => {
    jest.useFakeTimers();
    let isFull = true;
    answers = false;
    submit(of(2, WIRE));
    documents.stop();
    if (write === 'goBack') now = { boot: 'y', ms: 100 };
    const disk = new Proxy(store, {
      get: (target, name: keyof DocumentRepository) => (name === write && isFull ? full : target[name]),
    });
    ({ documents, told } = documentsOn(disk, around()));
    expect(told).toEqual([expect.stringMatching(/^config.unsaved error: .*full/)]);
    expect(documents.status).toMatchObject({ state: 'applying', applied_version: 1, candidate: { version: 2 } });
    expect(documents.desired.networks).toHaveLength(1);
    isFull = false;
    for (let n = 0; n < 62; n += 1) {
      now.ms += 1000;
      documents.settled([]);
      await jest.advanceTimersByTimeAsync(1000);
    }
    expect(documents.status).toMatchObject({ state: 'rolled_back', applied_version: 1, candidate: null });
    documents.stop();
    jest.useRealTimers();
  });

  test('that ends the service twice before a cycle is taken back at the third start', () => {
    documents.submit(of(2, WIRE), 'mqtt');
    restart();
    restart();
    expect(documents.status.state).toBe('applying');
    restart();
    expect(documents.status).toMatchObject({ state: 'rolled_back', errors: [{ code: 'restarted' }] });
    expect(documents.desired.networks).toEqual([]);
  });
});

describe('a document that asks for a confirmation', () => {
  test('is the last known good once it has it', () => {
    submit(of(2, {}, CONFIRM));
    expect(documents.status).toMatchObject({
      state: 'confirming',
      applied_version: 1,
      candidate: { seconds_left: 120 },
    });
    expect(told.at(-1)).toMatch(/^config.confirming warning: document version 2 .* 120 s .*: linkspan confirm 2$/);
    expect(documents.confirm(9)).toMatchObject({
      ok: false,
      reason: 'refused',
      problem: { code: 'nothing_to_confirm' },
    });
    expect(documents.confirm(2)).toEqual({ ok: true, version: 2, state: 'applied' });
    expect(documents.status).toMatchObject({ applied_version: 2, lkg_version: 2, candidate: null });
    expect(documents.confirm(2)).toEqual({ ok: true, version: 2, state: 'applied' });
    expect(documents.confirm()).toMatchObject({ ok: false, problem: { code: 'nothing_to_confirm' } });
  });

  test('is taken back without, and confirmed no more then', async () => {
    submit(of(2, {}, CONFIRM));
    restart();
    documents.settled([]);
    expect(documents.status.state).toBe('confirming');
    now.ms += 120_000;
    expect(documents.confirm(2)).toMatchObject({ ok: false });
    expect(documents.status).toMatchObject({
      state: 'rolled_back',
      errors: [{ code: 'not_confirmed', path: '/confirm' }],
    });
  });

  test('may be confirmed before it is proven, and is good then once it is', async () => {
    submit(of(2, WIRE, CONFIRM));
    expect(documents.confirm()).toEqual({ ok: true, version: 2, state: 'applying' });
    await pass(1);
    expect(documents.status).toMatchObject({ state: 'applied', applied_version: 2 });
  });
});

describe('going back on request', () => {
  beforeEach(async () => {
    submit(of(2, { l: overlay(5) }));
    submit(of(3, { l: overlay(5), ...WIRE }));
    await pass(1);
    expect(documents.status).toMatchObject({ state: 'applied', applied_version: 3 });
  });

  test('is to the document applied before, step by step; the broker’s retained one is not tried again', async () => {
    expect(documents.rollback()).toEqual({ ok: true, version: 2, state: 'applying' });
    await pass(1);
    const back = { state: 'rolled_back', applied_version: 2, lkg_version: 2, errors: [{ code: 'rolled_back' }] };
    expect(documents.status).toMatchObject(back);
    expect(documents.submit(of(3, { l: overlay(5), ...WIRE }), 'mqtt').accepted).toBe(false);
    restart();
    expect(documents.desired.networks).toMatchObject([{ name: 'l' }]);
    expect(documents.status).toMatchObject(back);
    documents.rollback();
    await pass(1);
    expect(documents.status).toMatchObject({ applied_version: 1 });
    expect(documents.rollback()).toMatchObject({ ok: false, reason: 'not_found' });
    submit(of(4));
    expect(documents.status).toMatchObject({ state: 'applied', applied_version: 4 });
  });

  test('has to prove itself, too', async () => {
    answers = false;
    documents.rollback(1);
    await pass(60);
    expect(documents.status).toMatchObject({
      state: 'rolled_back',
      applied_version: 3,
      errors: [{ code: 'broker_lost' }],
    });
    expect(documents.desired.networks).toHaveLength(2);
  });

  test('is to the last known good, too, where what runs never was one', async () => {
    submit(of(4, { l: overlay(5), ...WIRE, k: overlay(9) }), [FAILED]);
    expect(documents.status).toMatchObject({ state: 'applying', lkg_version: 3, candidate: null });
    expect(documents.rollback()).toMatchObject({ ok: true, version: 3 });
    await pass(1);
    expect(documents.status).toMatchObject({ state: 'rolled_back', applied_version: 3 });
    expect(store.trial()).toBeUndefined();
    expect(store.get(4)?.state).toBe('rolled_back');
  });

  test('ends a trial at once', () => {
    submit(of(4, {}, CONFIRM));
    expect(documents.rollback()).toEqual({ ok: true, version: 3, state: 'rolled_back' });
    expect(documents.rollback(3)).toMatchObject({ ok: true, version: 3 });
    expect(documents.rollback(4)).toMatchObject({ ok: false, reason: 'refused', problem: { code: 'rolled_back' } });
    expect(documents.rollback(77)).toMatchObject({
      ok: false,
      reason: 'not_found',
      problem: { code: 'missing_version' },
    });
  });

  test('is told in the history, with who sent what', async () => {
    documents.rollback(1);
    await pass(1);
    expect(documents.history).toMatchObject([
      { version: 3, state: 'rolled_back', running: false, source: 'mqtt', errors: [{ code: 'rolled_back' }] },
      { version: 2, state: 'applied', running: false },
      { version: 1, state: 'applied', running: true, received: '2023-11-14T22:13:20.000Z' },
    ]);
  });
});
