import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Documents } from '../../src/control/documents/documents.ts';
import type { ChangeMemory } from '../../src/control/rpc/answers.ts';
import { rpcMethods, type RpcSource } from '../../src/control/rpc/methods.ts';
import { RpcServer } from '../../src/control/rpc/server.ts';
import type { FdbEntry, PeerStatus } from '../../src/model/status.ts';
import { document, overlay } from './support/documents.ts';
import { bytes, documentsOn, memoryDocuments } from './support/gateway.ts';

type Answer = {
  id: string;
  ok: boolean;
  result?: Record<string, unknown>;
  errors?: { code: string; message: string }[];
};

const PEER: PeerStatus = {
  gateway: 'gw-b',
  vtep: '198.51.100.2:4789',
  vnis: [5],
  state: 'up',
  rtt_ms: null,
  path_mtu: null,
  datapath: null,
  datapath_rtt_ms: null,
  last_seen_s: 1,
};

const entry = (n: number, network = 'a'): FdbEntry => ({
  network,
  vni: 5,
  mac: n.toString(16).padStart(12, '0'),
  vtep: '198.51.100.2:4789',
  gateway: 'gw-b',
  origin: 'peer',
});

const NOT_INSTALLED = { path: '', code: 'firmware_refused', message: 'another is installed' } as const;
const NOT_HERE = { path: '', code: 'missing_network', message: 'no such network' } as const;

let [now, right] = [1000, true];
let events: string[];
let calls: number;
let documents: Documents;
let source: RpcSource;
let server: RpcServer;
let memory: ChangeMemory;

beforeEach(() => {
  [now, right, events, calls] = [1000, true, [], 0];
  ({ documents } = documentsOn(memoryDocuments()));
  documents.submit(bytes(document({ a: overlay(5) }, {}, 7)), 'mqtt');
  source = {
    peers: () => {
      calls += 1;
      return [PEER];
    },
    fdb: () => [...Array.from({ length: 2500 }, (_, n) => entry(n)), entry(1, 'b')],
    patch: (...args) => documents.patch(...args),
    confirm: (version) => documents.confirm(version),
    rollback: (...versions) => documents.rollbackFrom(...versions),
    probe: async (name) =>
      name === 'gw-z' ? { ok: false, reason: 'not_found', problem: NOT_HERE } : { ok: true, peers: [PEER] },
    clear: async ({ network, mac }) =>
      network === 'a' ? { ok: true, cleared: mac } : { ok: false, reason: 'not_found', problem: NOT_HERE },
    activate: async (version) =>
      version === '1.1.0' ? { ok: true, version } : { ok: false, reason: 'refused', problem: NOT_INSTALLED },
  };
  memory = memoryOf(new Map());
  server = serve(false);
});

/** As the store keeps it. */
function memoryOf(rows: Map<string, { digest: string; answer: string | null }>): ChangeMemory {
  return {
    find: (id) => rows.get(id),
    begin: (id, digest) => void rows.set(id, { digest, answer: null }),
    finish: (id, answer) => {
      const row = rows.get(id);
      if (row) rows.set(id, { ...row, answer });
    },
  };
}

function serve(signed: boolean): RpcServer {
  return new RpcServer({
    methods: rpcMethods(source),
    clock: { now: () => now, monotonic: () => now },
    clockIsRight: () => right,
    signed,
    memory,
    onEvent: (type) => void events.push(type),
  });
}

async function ask(id: string, request: unknown, retained = false): Promise<Answer | undefined> {
  const payload = typeof request === 'string' ? request : JSON.stringify(request);
  const answer = await server.take(id, Buffer.from(payload), retained);
  return answer && (JSON.parse(answer.toString()) as Answer);
}

const codeOf = (answer: Answer | undefined): string | undefined => answer?.errors?.[0]?.code;

describe('a request', () => {
  test('is answered with its id', async () => {
    expect(await ask('1', { method: 'peers' })).toEqual({
      v: 1,
      id: '1',
      ok: true,
      result: { peers: [PEER], total: 1 },
    });
  });

  test('that comes twice is carried out once and answered twice', async () => {
    const both = await Promise.all([ask('1', { method: 'peers' }), ask('1', { method: 'peers' })]);
    expect([both[0], calls]).toEqual([both[1], 1]);
    expect(await ask('1', { method: 'peers' })).toEqual(both[0]);
    expect(codeOf(await ask('1', { method: 'fdb' }))).toBe('id_reused');
    expect(calls).toBe(1);
  });

  test('that is retained is not carried out, and an empty one is none', async () => {
    expect(await ask('1', { method: 'peers' }, true)).toBeUndefined();
    expect(await ask('2', '')).toBeUndefined();
    expect([calls, events]).toEqual([0, ['rpc_retained']]);
  });

  test('after its deadline is not carried out, unless nobody knows what time it is', async () => {
    now = 60_000;
    expect(codeOf(await ask('1', { method: 'peers', deadline: 59 }))).toBe('expired');
    expect((await ask('2', { method: 'peers', deadline: 61 }))?.ok).toBe(true);
    right = false;
    expect((await ask('3', { method: 'peers', deadline: 59 }))?.ok).toBe(true);
  });

  test('that is signed and changes something says until when, and is not carried out later', async () => {
    server = serve(true);
    now = 1_000_000;
    const params = { ifVersion: 7, patch: { networks: { b: overlay(6) } } };
    const at = (id: string, deadline?: number): Promise<Answer | undefined> =>
      ask(id, { method: 'patch', params, ...(deadline !== undefined && { deadline }) });
    expect((await ask('0', { method: 'peers' }))?.ok).toBe(true);
    expect(codeOf(await at('1'))).toBe('malformed');
    expect(codeOf(await at('2', 1601))).toBe('malformed');
    expect(codeOf(await at('3', 999))).toBe('expired');
    expect((await at('4', 1600))?.ok).toBe(true);
    documents.settled([]);
    documents.rollback(7);
    documents.settled([]);
    const newest = documents.history.length;
    expect((await at('4', 1600))?.ok).toBe(true);
    expect(documents.history).toHaveLength(newest);
    // the service restarts, and somebody sends it once more within its time
    server = serve(true);
    expect((await at('4', 1600))?.ok).toBe(true);
    expect(documents.history).toHaveLength(newest);
    expect(codeOf(await at('4', 1599))).toBe('id_reused');
  });

  test('that changes something and in the middle of which the service ends is not carried out again', async () => {
    source.clear = () => new Promise(() => undefined);
    const request = { method: 'clear', params: { network: 'a', mac: '02:00:00:00:00:0b' } };
    void ask('1', request);
    await Promise.resolve();
    server = serve(false);
    expect(await ask('1', request)).toMatchObject({ ok: false, errors: [{ code: 'interrupted' }] });
  });

  test('that changes something and cannot be remembered is not carried out', async () => {
    const full = new Error('the disk is full');
    memory.begin = () => {
      throw full;
    };
    const before = documents.history.length;
    const answer = await ask('1', {
      method: 'patch',
      params: { ifVersion: 7, patch: { networks: { b: overlay(6) } } },
    });
    expect(answer?.errors).toMatchObject([
      { code: 'failed', message: expect.stringMatching(/not carried out.* under another id$/) },
    ]);
    expect(documents.history).toHaveLength(before);
    expect((await ask('2', { method: 'peers' }))?.ok).toBe(true);
  });

  test('to probe is one of four at once', async () => {
    const waiting: (() => void)[] = [];
    source.probe = async () => {
      await new Promise<void>((resolve) => void waiting.push(resolve));
      return { ok: true, peers: [PEER] };
    };
    const answers = Array.from({ length: 6 }, (_, n) => ask(`${n}`, { method: 'probe' }));
    await new Promise((resolve) => void setImmediate(resolve));
    for (const end of waiting.splice(0)) end();
    expect((await Promise.all(answers)).map(codeOf)).toEqual([...Array(4).fill(undefined), 'busy', 'busy']);
    const later = ask('later', { method: 'probe' });
    await new Promise((resolve) => void setImmediate(resolve));
    for (const end of waiting) end();
    expect((await later)?.ok).toBe(true);
  });

  test('with a patch as deep as no document is says so', async () => {
    const deep = `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`;
    const answer = await ask('1', `{"method":"patch","params":{"ifVersion":7,"patch":${deep}}}`);
    expect(answer?.errors).toMatchObject([
      { code: 'malformed', message: expect.stringMatching(/^params\.patch: .*give/) },
    ]);
  });

  test.each([
    ['malformed', 'not json'],
    ['malformed', '[]'],
    ['malformed', { method: 5 }],
    ['malformed', { method: 'peers', params: 3 }],
    ['malformed', { method: 'peers', deadline: 'soon' }],
    ['malformed', { method: 'fdb', params: { from: -1 } }],
    ['malformed', { method: 'fdb', params: { network: 4 } }],
    ['malformed', { method: 'patch', params: { patch: {} } }],
    ['malformed', { method: 'patch', params: { ifVersion: 7, patch: [] } }],
    ['unknown_method', { method: '__proto__' }],
    ['too_large', ' '.repeat(1024 * 1024 + 1)],
    ['malformed', `{"method":"patch","params":${'['.repeat(200_000)}`],
  ])('is refused as %s: %j', async (code, request) => {
    const answer = await ask('1', request);
    expect([answer?.ok, codeOf(answer)]).toEqual([false, code]);
  });

  test('is one of at most 20 at once and 5 a second', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => ask(`${n}`, { method: 'peers' })));
    expect(answers.map(codeOf).filter((code) => code === 'busy')).toHaveLength(10);
    now += 1000;
    expect((await ask('later', { method: 'peers' }))?.ok).toBe(true);
  });

  test.each([
    { method: 'x'.repeat(1_000_000) },
    { method: 'fdb', params: { network: ['x'.repeat(1_000_000)] } },
    { method: 'confirm', params: { version: 'x'.repeat(1_000_000) } },
    `{"method":"confirm","params":{"version":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`,
    `{"method":"patch","params":{"ifVersion":7,"patch":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}}`,
  ])('that is long or deep has a short answer (%#)', async (request) => {
    const answer = await ask('1', request);
    expect([answer?.ok, JSON.stringify(answer).length < 600]).toEqual([false, true]);
  });

  test('whose answer is long is remembered for a shorter time', async () => {
    const many = Array.from({ length: 40 }, (_, n) => `${n}`);
    for (const id of many) {
      now += 1000;
      await ask(id, { method: 'fdb' });
    }
    calls = 0;
    source.fdb = () => [entry((calls += 1))];
    for (const id of many.toReversed()) await ask(id, { method: 'fdb' });
    expect(calls).toBeGreaterThan(0);
    expect(calls).toBeLessThan(10);
  });

  test('whose method fails is answered with the cause', async () => {
    source.peers = () => {
      throw new Error('the disk is full');
    };
    expect(await ask('1', { method: 'peers' })).toMatchObject({
      ok: false,
      errors: [{ code: 'failed', message: 'the disk is full' }],
    });
  });
});

test('the forwarding table comes in parts, of one network where asked for', async () => {
  const first = await ask('1', { method: 'fdb' });
  expect(first?.result).toMatchObject({ total: 2501, next: 1000 });
  const last = await ask('2', { method: 'fdb', params: { from: 2000 } });
  expect(last?.result).toMatchObject({ total: 2501, entries: { length: 501 } });
  expect(last?.result).not.toHaveProperty('next');
  const one = await ask('3', { method: 'fdb', params: { network: 'b' } });
  expect(one?.result).toEqual({ entries: [entry(1, 'b')], total: 1 });
});

test('a part is no longer than brokers take', async () => {
  const vnis = Array.from({ length: 2000 }, (_, n) => n + 1_000_000);
  source.peers = () => Array.from({ length: 50 }, () => ({ ...PEER, vnis }));
  const told: unknown[] = [];
  for (let from: number | undefined = 0, n = 0; from !== undefined; n += 1) {
    const answer = await ask(`${n}`, { method: 'peers', params: { from } });
    const result = answer?.result as { peers: unknown[]; next?: number } | undefined;
    expect(JSON.stringify(answer).length).toBeLessThan(128 * 1024);
    told.push(...(result?.peers ?? []));
    from = result?.next;
  }
  expect(told).toHaveLength(50);
  source.peers = () => [{ ...PEER, vnis: Array.from({ length: 50_000 }, () => 1_000_000) }, PEER];
  expect((await ask('one', { method: 'peers' }))?.result).toMatchObject({ peers: { length: 1 }, next: 1 });
  expect((await ask('beyond', { method: 'peers', params: { from: 9 } }))?.result).toEqual({ peers: [], total: 2 });
});

const patch = (ifVersion: number, changes: unknown): Promise<Answer | undefined> =>
  ask(`${ifVersion}-${JSON.stringify(changes)}`.replaceAll(/\W/g, '_'), {
    method: 'patch',
    params: { ifVersion, patch: changes },
  });

const clear = (id: string, params: unknown): Promise<Answer | undefined> => ask(id, { method: 'clear', params });

const probe = (id: string, params?: unknown): Promise<Answer | undefined> => ask(id, { method: 'probe', params });

test('one peer is probed, or all', async () => {
  for (const [id, params] of Object.entries({ one: { gateway: 'gw-b' }, all: undefined }))
    expect((await probe(id, params))?.result).toEqual({ peers: [PEER], total: 1 });
  expect(codeOf(await probe('none', { gateway: 'gw-z' }))).toBe('missing_network');
  expect(codeOf(await probe('bad', { gateway: 'No Name' }))).toBe('malformed');
});

const activate = (id: string, params: object): Promise<Answer | undefined> => ask(id, { method: 'activate', params });

test('the firmware that is named is activated, if it is installed', async () => {
  expect((await activate('1', { version: '1.1.0' }))?.result).toEqual({ version: '1.1.0' });
  expect(codeOf(await activate('2', { version: '1.2.0' }))).toBe('firmware_refused');
  expect(codeOf(await activate('3', {}))).toBe('malformed');
});

test('a MAC that was found twice is cleared', async () => {
  const mac = '02:00:00:00:00:0b';
  expect((await clear('1', { network: 'a', mac }))?.result).toEqual({ cleared: mac });
  expect(codeOf(await clear('2', { network: 'b', mac }))).toBe('missing_network');
  expect(codeOf(await clear('3', { network: 'a', mac: 'x' }))).toBe('malformed');
});

describe('a patch', () => {
  test('makes the next version of the document that runs', async () => {
    expect((await patch(7, { networks: { b: overlay(6) } }))?.result).toEqual({ version: 8 });
    expect((await patch(8, { networks: { a: null } }))?.result).toEqual({ version: 9 });
  });

  test('of another version, or to a document that is wrong, changes nothing', async () => {
    expect(await patch(6, {})).toMatchObject({ ok: false, errors: [{ code: 'version_conflict' }] });
    expect(await patch(7, { networks: { b: overlay(5) } })).toMatchObject({ errors: [{ code: 'duplicate_vni' }] });
    expect(await patch(7, { networks: { b: { driver: 'bridge' } } })).toMatchObject({ errors: [{ code: 'schema' }] });
    expect((await patch(7, { networks: { b: overlay(6) } }))?.result).toEqual({ version: 8 });
  });
});

describe('a decision about a document', () => {
  test('goes back from the version that runs, and from no other', async () => {
    documents.settled([]);
    await patch(7, { networks: { b: overlay(6) } });
    documents.settled([]);
    expect(codeOf(await ask('1', { method: 'rollback' }))).toBe('malformed');
    expect(codeOf(await ask('2', { method: 'rollback', params: { ifVersion: 7 } }))).toBe('version_conflict');
    const unknown = { ifVersion: 8, version: 3 };
    expect(codeOf(await ask('3', { method: 'rollback', params: unknown }))).toBe('missing_version');
    const back = { method: 'rollback', params: { ifVersion: 8 } };
    expect(await ask('4', back)).toMatchObject({ ok: true, result: { version: 7 } });
    expect(codeOf(await ask('5', back))).toBe('version_conflict');
  });

  test('confirms one that waits for it', async () => {
    documents.settled([]);
    documents.submit(bytes({ ...document({ a: overlay(5) }, {}, 8), confirm: { timeout_s: 60 } }), 'mqtt');
    documents.settled([]);
    expect(documents.status.state).toBe('confirming');
    expect(codeOf(await ask('1', { method: 'confirm', params: { version: 9 } }))).toBe('nothing_to_confirm');
    expect(codeOf(await ask('2', { method: 'confirm' }))).toBe('malformed');
    const answer = await ask('3', { method: 'confirm', params: { version: 8 } });
    expect(answer?.result).toEqual({ version: 8, state: 'applied' });
  });
});
