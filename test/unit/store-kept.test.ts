import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openStore, type Store } from '../../src/store/store.ts';

const directory = mkdtempSync(join(tmpdir(), 'linkspan-kept-'));
const log = { warn: () => {} };
const document = (version: number): { version: number; hash: string; body: string; source: 'cli' } => ({
  version,
  hash: `hash-${version}`,
  body: `{"version":${version}}`,
  source: 'cli',
});
let path: string;
let count = 0;

beforeEach(() => {
  path = join(directory, `${(count += 1)}`, 'state.db');
});
afterAll(() => rmSync(directory, { recursive: true }));

const accept = (store: Store, version: number): void => {
  store.documents.accept(document(version));
  store.documents.markApplied(version);
};

/** What a newer version would leave: another schema, another document; its log is there as after a power cut. */
function runNewer(): void {
  const newer = new Database(path);
  newer.pragma('journal_mode = WAL');
  newer.exec(`CREATE TABLE of_tomorrow (a);
    ALTER TABLE documents RENAME COLUMN body TO text;
    INSERT INTO documents (version, hash, text, state, received_at) VALUES (9, 'h', 'tomorrow', 'applied', 0)`);
  newer.pragma('user_version = 99');
  const files = ['', '-wal', '-shm'].map((suffix) => [path + suffix, readFileSync(path + suffix)] as const);
  newer.close();
  for (const [file, bytes] of files) writeFileSync(file, bytes);
}

describe('a version that comes back after a newer one', () => {
  test('has the documents that it had accepted, and the newer state is kept aside whole', () => {
    const store = openStore(path, log);
    accept(store, 7);
    store.keep();
    store.close();
    runNewer();
    const back = openStore(path, log);
    expect(back.restored).toMatch(/\/state\.db\.newer-/);
    expect(back.recovered).toBeNull();
    expect(back.documents.lastKnownGood()).toMatchObject({ version: 7, body: '{"version":7}' });
    expect(back.documents.history(9)).toHaveLength(1);
    accept(back, 8);
    back.close();
    const aside = new Database(back.restored ?? '', { readonly: true });
    expect(aside.pragma('user_version', { simple: true })).toBe(99);
    expect(aside.prepare('SELECT text FROM documents WHERE version = 9').pluck().get()).toBe('tomorrow');
    aside.close();
    const again = openStore(path, log);
    expect(again.restored).toBeNull();
    expect(again.documents.lastKnownGood()).toMatchObject({ version: 8 });
    again.close();
  });

  test('goes on with what the newer one accepted where the form is the same', () => {
    const store = openStore(path, log);
    accept(store, 7);
    store.keep();
    accept(store, 8);
    store.close();
    const back = openStore(path, log);
    expect(back.restored).toBeNull();
    expect(back.documents.lastKnownGood()).toMatchObject({ version: 8 });
    back.close();
  });

  test('keeps the latest copy, and no half of one', () => {
    const store = openStore(path, log);
    accept(store, 7);
    store.keep();
    accept(store, 8);
    writeFileSync(`${path}.kept.new`, 'cut off');
    store.keep();
    store.close();
    expect(readdirSync(dirname(path)).toSorted()).toEqual(['state.db', 'state.db.kept', 'state.db.lock']);
    runNewer();
    const back = openStore(path, log);
    expect(back.documents.lastKnownGood()).toMatchObject({ version: 8 });
    back.close();
  });

  test.each<[string, (kept: string) => void]>([
    ['there is none', (kept) => rmSync(kept)],
    ['it is damaged', (kept) => writeFileSync(kept, 'no database')],
    ['it is cut short', (kept) => writeFileSync(kept, readFileSync(kept).subarray(0, 8192))],
    ['it is of a newer version, too', (kept) => new Database(kept).exec('PRAGMA user_version = 98').close()],
  ])('touches nothing and says so where %s', (_, spoil) => {
    const store = openStore(path, log);
    store.keep();
    store.close();
    spoil(`${path}.kept`);
    runNewer();
    expect(() => openStore(path, log)).toThrow(expect.objectContaining({ code: 'state_newer' }));
    expect(existsSync(path)).toBe(true);
    expect(readdirSync(dirname(path)).filter((name) => basename(name).includes('newer-'))).toEqual([]);
  });
});
