import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { IpPrefix } from '../../src/model/ip.ts';
import { deriveMac } from '../../src/model/derived-mac.ts';
import type { Endpoint } from '../../src/model/network.ts';
import type { Alive, PeerRecord } from '../../src/model/peer.ts';
import type { Vni } from '../../src/model/vni.ts';
import { APPLICATION_ID, MIGRATIONS } from '../../src/store/migrations.ts';
import { openStore, type Store } from '../../src/store/store.ts';

const directory = mkdtempSync(join(tmpdir(), 'linkspan-store-'));
const folder = mkdtempSync(join(directory, 'folder-'));
const warnings: string[] = [];
const log = { warn: (message: string) => void warnings.push(message) };
let count = 0;
const freshPath = (): string => join(directory, `${(count += 1)}`, 'deep', 'state.db');

afterAll(() => rmSync(directory, { recursive: true }));

const endpoint: Endpoint = {
  workload: 'w',
  network: 'n',
  sandbox: { kind: 'netns', name: 'w1' },
  interface: 'eth0',
  mac: deriveMac('n', 'w'),
  addresses: [{ family: 4, address: '10.0.0.5', length: 24 }],
};
const record: PeerRecord = {
  v: 1,
  fleet: 'f',
  vni: 7 as Vni,
  gw: 'gw-b',
  epoch: 3,
  seq: 9,
  iat: 1,
  exp: 2,
  vtep: [{ ip: '192.0.2.1', port: 4789 }],
  mtu: 1450,
  bum: 'replicate',
  caps: [],
  macs: [{ m: deriveMac('n', 'w'), ip: ['10.0.0.5'], q: 0, s: 1 }],
  pages: 1,
};
const alive: Alive = { v: 1, gw: 'gw-b', epoch: 3, seq: 1, state: 'up', vteps: [], vnis: { 7: [9, 'digest'] } };

test('the last thousand requests that changed something are known over a restart', () => {
  const path = freshPath();
  const store = openStore(path, log);
  store.transaction(() => {
    for (let n = 0; n <= 1000; n += 1) store.changes.begin(`${n}`, `digest-${n}`);
  });
  store.changes.finish('1000', 'done');
  store.close();
  const again = openStore(path, log);
  expect(again.changes.find('0')).toBeUndefined();
  expect(again.changes.find('1')).toEqual({ digest: 'digest-1', answer: null });
  expect(again.changes.find('1000')).toEqual({ digest: 'digest-1000', answer: 'done' });
  again.close();
});

describe('opening', () => {
  test('makes file and directory, readable by the service only', () => {
    const path = freshPath();
    openStore(path, log).close();
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('migrates an empty file', () => {
    const path = join(directory, 'empty.db');
    writeFileSync(path, '');
    const store = openStore(path, log);
    expect(store.epoch.bumpEpoch()).toBe(1);
    expect(store.recovered).toBeNull();
    store.close();
    const plain = new Database(path, { readonly: true });
    expect(plain.pragma('user_version', { simple: true })).toBe(MIGRATIONS.length);
    plain.close();
  });

  test("an earlier version's file is read on: the document that ran still runs", () => {
    const path = freshPath();
    mkdirSync(join(path, '..'), { recursive: true });
    const earlier = new Database(path);
    earlier.pragma(`application_id = ${APPLICATION_ID}`);
    // as of the first version that operators had: documents without a source, and no trials
    for (const sql of MIGRATIONS.slice(0, 3)) earlier.exec(sql);
    earlier.pragma('user_version = 3');
    const insert = earlier.prepare('INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)');
    insert.run(1, 'a', '{"v":1}', 'applied', 11, 1);
    insert.run(0, 'z', '{"v":0}', 'candidate', 10, null);
    insert.run(2, 'b', '{"v":2}', 'candidate', 12, null);
    insert.run(3, 'c', '{"v":3}', 'rolled_back', 13, null);
    earlier.close();

    const store = openStore(path, log);
    const { documents } = store;
    expect(store.recovered).toBeNull();
    expect(documents.running()).toMatchObject({ version: 2, body: '{"v":2}', source: null, settled_at: null });
    expect(documents.lastKnownGood()).toMatchObject({ version: 1, problems: [] });
    expect(documents.get(0)?.state).toBe('superseded');
    expect(documents.trial()).toBeUndefined();
    documents.markApplied(2);
    documents.accept({ version: 4, hash: 'd', body: '{"v":4}', source: 'rpc' });
    documents.goBack(4, [], 2);
    expect([documents.running()?.version, documents.lastKnownGood()?.version]).toEqual([2, 2]);
    store.close();
  });

  test.each([
    ['is no database', () => Buffer.from('this is not a database, though it is long enough to look at'.repeat(20))],
    ['has a damaged page', (good: Buffer) => good.fill(0xa5, 4096 * 2, 4096 * 4)],
  ])('a file that %s is moved aside and kept', (_, damage) => {
    const path = freshPath();
    const first = openStore(path, log);
    for (let v = 1; v < 15; v += 1)
      first.documents.accept({ version: v, hash: 'h', body: 'x'.repeat(9000), source: 'mqtt' });
    first.close();
    const broken = damage(readFileSync(path));
    writeFileSync(path, broken);
    writeFileSync(`${path}-wal`, 'an old log');

    const store = openStore(path, log, { now: () => 0, monotonic: () => 0 });
    expect(store.recovered).toBe(`${path}.broken-1970-01-01T00:00:00.000Z`);
    expect(readFileSync(store.recovered ?? '').equals(broken)).toBe(true);
    expect(store.documents.current()).toBeUndefined();
    expect(warnings.at(-1)).toMatch(/damaged/);
    store.close();

    writeFileSync(path, broken);
    const again = openStore(path, log, { now: () => 0, monotonic: () => 0 });
    expect(again.recovered).toMatch(/Z-1$/);
    again.close();
    expect(existsSync(`${path}.broken-1970-01-01T00:00:00.000Z`)).toBe(true);
  });

  test("a newer version's and another program's database are refused untouched", () => {
    const path = freshPath();
    openStore(path, log).close();
    const plain = new Database(path);
    plain.pragma('user_version = 99');
    plain.close();
    expect(() => openStore(path, log)).toThrow(expect.objectContaining({ code: 'state_newer' }));

    const other = join(directory, 'other.db');
    new Database(other).exec('CREATE TABLE theirs (a)').close();
    const before = readFileSync(other);
    expect(() => openStore(other, log)).toThrow(expect.objectContaining({ code: 'state_foreign' }));
    expect(readFileSync(other).equals(before)).toBe(true);
  });

  test.each(['/proc/linkspan/state.db', '/dev/null/state.db', folder])('%s cannot be used, and is named', (path) => {
    expect(() => openStore(path, log)).toThrow(expect.objectContaining({ code: 'state_unusable', object: path }));
  });
});

describe('repositories', () => {
  let store: Store;
  let reader: Database.Database;
  beforeEach(() => {
    const path = freshPath();
    store = openStore(path, log, { now: () => 1234, monotonic: () => 0 });
    reader = new Database(path);
  });
  afterEach(() => {
    reader.close();
    store.close();
  });

  /** data_version changes for other connections with every commit that wrote. */
  function writes(work: () => void): boolean {
    const before = reader.pragma('data_version', { simple: true });
    work();
    return reader.pragma('data_version', { simple: true }) !== before;
  }

  test('the epoch rises and never falls', () => {
    expect([store.epoch.bumpEpoch(), store.epoch.bumpEpoch()]).toEqual([1, 2]);
    expect([store.epoch.raiseEpoch(40), store.epoch.raiseEpoch(7), store.epoch.bumpEpoch()]).toEqual([40, 40, 41]);
    expect(() => store.epoch.raiseEpoch(1.5)).toThrow(RangeError);
  });

  test('a document goes from candidate to last-known-good, and back on rollback', () => {
    const { documents } = store;
    documents.accept({ version: 1, hash: 'a', body: '{}', source: 'mqtt' });
    expect(documents.current()).toEqual({
      version: 1,
      hash: 'a',
      body: '{}',
      source: 'mqtt',
      state: 'candidate',
      received_at: 1234,
      settled_at: null,
      problems: [],
    });
    expect(documents.lastKnownGood()).toBeUndefined();
    documents.markApplied(1);
    documents.accept({ version: 2, hash: 'b', body: '{}', source: 'mqtt' });
    expect(documents.lastKnownGood()?.version).toBe(1);
    documents.markApplied(2);
    expect(documents.lastKnownGood()?.version).toBe(2);
    documents.markRolledBack(2, []);
    expect(documents.lastKnownGood()).toMatchObject({ version: 1, state: 'applied' });
    expect(documents.current()).toMatchObject({ version: 2, state: 'rolled_back' });
    expect(() => documents.accept({ version: 2, hash: 'other', body: '{}', source: 'mqtt' })).toThrow(
      expect.objectContaining({ code: 'version_conflict' }),
    );
    expect(() => documents.markApplied(9)).toThrow(expect.objectContaining({ code: 'not_found' }));
  });

  test('a document in whose place another comes before it is proven is superseded, until it runs again', () => {
    const { documents } = store;
    const states = (): string[] => documents.history(9).map(({ version, state }) => `${version} ${state}`);
    documents.accept({ version: 1, hash: 'a', body: '{}', source: 'mqtt' });
    documents.accept({ version: 2, hash: 'b', body: '{}', source: 'mqtt' });
    expect(states()).toEqual(['2 candidate', '1 superseded']);
    expect(documents.get(1)?.settled_at).toBe(1234);
    documents.goBack(2, [], 1);
    expect(states()).toEqual(['2 rolled_back', '1 candidate']);
    documents.markApplied(1);
    expect(states()).toEqual(['2 rolled_back', '1 applied']);
  });

  test('the newest 20 documents are kept, and the last-known-good one however old', () => {
    store.documents.accept({ version: 1, hash: 'h', body: '{}', source: 'mqtt' });
    store.documents.markApplied(1);
    for (let v = 2; v <= 30; v += 1) store.documents.accept({ version: v, hash: 'h', body: '{}', source: 'mqtt' });
    const versions = store.documents.history(100).map(({ version }) => version);
    expect(versions).toEqual([...Array.from({ length: 20 }, (_, i) => 30 - i), 1]);
    expect(store.documents.history(2).map(({ version }) => version)).toEqual([30, 29]);
  });

  test('what is put is listed, replaced and removed', () => {
    const lease = { workload: 'w', network: 'n', family: 4, address: '10.0.0.5' } as const;
    const row = { workload: 'w', network: 'n', sandbox: '/run/netns/w1', interface: 'eth0', mac: endpoint.mac };
    store.leases.put(lease);
    store.leases.put({ ...lease, address: '10.0.0.6' });
    expect(store.leases.list()).toEqual([{ ...lease, address: '10.0.0.6' }]);
    expect(() => store.leases.put({ ...lease, workload: 'x', address: '10.0.0.6' })).toThrow(/UNIQUE/);
    store.attachments.put(endpoint);
    expect(store.attachments.list()).toEqual([endpoint]);
    store.endpoints.put(row);
    store.endpoints.put({ ...row, interface: 'eth1' });
    expect(store.endpoints.list()).toEqual([{ ...row, interface: 'eth1' }]);
    for (const table of [store.attachments, store.endpoints]) {
      table.remove('w', 'n');
      table.remove('w', 'n');
      expect(table.list()).toEqual([]);
    }
  });

  test('a lease is given back without the other family’s', () => {
    const four = { workload: 'w', network: 'n', family: 4, address: '10.0.0.5' } as const;
    const six = { workload: 'w', network: 'n', family: 6, address: 'fd00::5' } as const;
    store.leases.put(four);
    store.leases.put(six);
    store.leases.remove(six);
    store.leases.remove(six);
    expect(store.leases.list()).toEqual([four]);
  });

  test('a DHCP lease is kept by its key, replaced, and removed twice', () => {
    const path = freshPath();
    const first = openStore(path, log);
    const given = { address: endpoint.addresses[0] as IpPrefix, dns: [], server: '10.0.0.1', lease_s: 60, ignored: [] };
    first.dhcpLeases.put('w/n', { ...given, obtainedAt: 1 });
    first.dhcpLeases.put('w/n', { ...given, obtainedAt: 2 });
    first.dhcpLeases.put('x/n', { ...given, obtainedAt: 3 });
    first.dhcpLeases.remove('x/n');
    first.dhcpLeases.remove('x/n');
    first.close();
    const again = openStore(path, log);
    expect(again.dhcpLeases.list()).toEqual([{ key: 'w/n', lease: { ...given, obtainedAt: 2 } }]);
    again.close();
  });

  test('peers come back as they were', () => {
    store.peers.saveRecord(record);
    store.peers.saveAlive(alive);
    store.peers.saveFloor('vni/7/gw-b', 3, 9);
    store.peers.saveFloor('vni/7/gw-b', 4, 1);
    expect(store.peers.loadRecords()).toEqual([record]);
    expect(store.peers.loadAlives()).toEqual([alive]);
    expect(store.peers.loadFloors()).toEqual([{ key: 'vni/7/gw-b', epoch: 4, seq: 1 }]);
    store.peers.removeRecord(7, 'gw-b');
    expect(store.peers.loadRecords()).toEqual([]);
  });

  test('nothing is written where nothing changes', () => {
    const { documents, leases, attachments, endpoints, peers, epoch } = store;
    const all = [
      () => documents.accept({ version: 1, hash: 'a', body: '{}', source: 'mqtt' }),
      () => documents.markApplied(1),
      () => leases.put({ workload: 'w', network: 'n', family: 6, address: 'fd00::5' }),
      () => attachments.put(endpoint),
      () => endpoints.put({ workload: 'w', network: 'n', sandbox: 's', interface: 'i', mac: 'm' }),
      () => peers.saveRecord(record),
      () => peers.saveAlive(alive),
      () => peers.saveFloor('k', 1, 2),
      () => void epoch.raiseEpoch(5),
    ];
    expect(all.map(writes)).toEqual(all.map(() => true));
    expect(all.map(writes)).toEqual(all.map(() => false));
    expect(writes(() => leases.remove({ workload: 'nobody', network: 'n', family: 4, address: '10.0.0.5' }))).toBe(
      false,
    );
  });

  test('a transaction is all or nothing', () => {
    const half = (): void => {
      store.peers.saveAlive(alive);
      throw new Error('half way');
    };
    expect(() => store.transaction(half)).toThrow('half way');
    expect(store.peers.loadAlives()).toEqual([]);
    expect(store.transaction(() => store.epoch.bumpEpoch())).toBe(1);
  });
});
