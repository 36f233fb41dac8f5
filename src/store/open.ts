import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, realpathSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import type { Clock } from '../service/clock.ts';
import { LinkspanError, messageOf } from '../service/errors.ts';
import { goBack } from './kept.ts';
import { BUSY_TIMEOUT_MS, sqliteCode } from './lock.ts';
import { APPLICATION_ID, MIGRATIONS } from './migrations.ts';

/** Makes the state's directory (mode 0700) where it is missing; returns the path with symbolic links resolved. */
export function prepareDirectory(path: string): string {
  makeDirectory(dirname(path));
  // Two names for one file must lead to one lock.
  return existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path));
}

/** Not mkdir's `recursive`: Node 24 retries without end where the system refuses with ENOENT, as under /proc. */
function makeDirectory(directory: string): void {
  if (existsSync(directory)) return;
  makeDirectory(dirname(directory));
  mkdirSync(directory, { mode: 0o700 });
}

/** `recovered`: where a broken file was moved to; `restored`: where one of a newer version was, which the kept one replaces. */
type Opened = {
  readonly database: Database.Database;
  readonly recovered: string | null;
  readonly restored: string | null;
};

/** Opens the database and brings it to this version's schema. What it cannot use it moves aside first. */
export function openDatabase(path: string, clock: Clock): Opened {
  // SQLite gives its -wal and -shm files the mode of the database, and would itself make that 0644.
  closeSync(openSync(path, 'a', 0o600));
  const sound = openSound(path);
  if (sound) {
    const restored = isNewer(sound) ? (goBack(sound, path, clock) ?? null) : null;
    return { database: prepare(restored === null ? sound : connect(path), path), recovered: null, restored };
  }
  const recovered = moveAside(path, clock);
  closeSync(openSync(path, 'a', 0o600));
  return { database: prepare(connect(path), path), recovered, restored: null };
}

function connect(path: string): Database.Database {
  return new Database(path, { timeout: BUSY_TIMEOUT_MS });
}

/** Undefined where the file is damaged. Any other failure (I/O, permission) is thrown: the file may be perfectly good. */
function openSound(path: string): Database.Database | undefined {
  try {
    return checked(connect(path));
  } catch (error) {
    if (!isFull(error)) throw error;
    // Alone on it, SQLite keeps the log's index in memory, which it cannot write beside the file on a full disk.
    const database = connect(path);
    database.pragma('locking_mode = EXCLUSIVE');
    return checked(database);
  }
}

function checked(database: Database.Database): Database.Database | undefined {
  try {
    if (database.pragma('quick_check(1)', { simple: true }) === 'ok') return database;
  } catch (error) {
    if (!isDamage(error)) throw closeAfter(database, error);
  }
  database.close();
  return undefined;
}

function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB)/.test(sqliteCode(error));
}

function isFull(error: unknown): boolean {
  return /^SQLITE_(FULL|IOERR_SHM|CANTOPEN)/.test(sqliteCode(error));
}

function closeAfter(database: Database.Database, error: unknown): unknown {
  database.close();
  return error;
}

function moveAside(path: string, clock: Clock): string {
  const wanted = `${path}.broken-${new Date(clock.now()).toISOString()}`;
  // A gateway without a battery-backed clock starts at the same time again and again.
  let target = wanted;
  for (let n = 1; existsSync(target); n += 1) target = `${wanted}-${n}`;
  // The file itself last: with it gone but its log still here, SQLite would delete the log.
  for (const suffix of ['-shm', '-wal', '']) if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
  syncDirectory(dirname(path));
  return target;
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
}

function prepare(database: Database.Database, path: string): Database.Database {
  try {
    refuseForeign(database, path);
    database.pragma('journal_mode = WAL');
    // In WAL mode, NORMAL would lose the last transactions at a power cut.
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    migrate(database, path);
    return database;
  } catch (error) {
    throw closeAfter(database, error);
  }
}

function refuseForeign(database: Database.Database, path: string): void {
  const id = database.pragma('application_id', { simple: true });
  const empty = database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined;
  if (id === APPLICATION_ID || (id === 0 && empty)) return;
  throw new LinkspanError({
    code: 'state_foreign',
    object: path,
    reason: "this is another program's database",
    remedy: 'give another state.path',
  });
}

function versionOf(database: Database.Database): number {
  return Number(database.pragma('user_version', { simple: true }));
}

function isNewer(database: Database.Database): boolean {
  const isOurs = database.pragma('application_id', { simple: true }) === APPLICATION_ID;
  return isOurs && versionOf(database) > MIGRATIONS.length;
}

function migrate(database: Database.Database, path: string): void {
  const version = versionOf(database);
  if (version > MIGRATIONS.length) throw newer(path, version);
  if (version === MIGRATIONS.length) return;
  // Together: each transaction of its own would wait for the disk, which a gateway's flash makes long.
  database.transaction(() => {
    for (const sql of MIGRATIONS.slice(version)) database.exec(sql);
    database.pragma(`application_id = ${APPLICATION_ID}`);
    database.pragma(`user_version = ${MIGRATIONS.length}`);
  })();
}

function newer(path: string, version: number): LinkspanError {
  return new LinkspanError({
    code: 'state_newer',
    object: path,
    reason: `written by a newer Linkspan (schema ${version}, this one knows ${MIGRATIONS.length})`,
    remedy: 'install that version again, or give another state.path',
  });
}

/** Turns whatever kept the state from opening into an error that says what to do; typed errors pass unchanged. */
export function unusable(path: string, error: unknown): LinkspanError {
  if (error instanceof LinkspanError) return error;
  return new LinkspanError({
    code: 'state_unusable',
    object: path,
    reason: `the state file cannot be opened for writing (${messageOf(error)})`,
    remedy: 'make its directory writable for this user, free some space, or give another state.path',
    cause: error,
  });
}
