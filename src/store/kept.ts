import { closeSync, constants, copyFileSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import type { Clock } from '../service/clock.ts';
import { APPLICATION_ID, MIGRATIONS } from './migrations.ts';

/**
 * Keeps a copy of the state beside it, on the disk when this returns: for this version to go back to, where a newer one
 * is about to change the state's form and may not stay. An earlier copy is replaced.
 */
export function keepState(database: Database.Database, path: string): void {
  const [kept, fresh] = [keptPath(path), `${keptPath(path)}.new`];
  rmSync(fresh, { force: true });
  database.prepare('VACUUM INTO ?').run(fresh);
  sync(fresh);
  renameSync(fresh, kept);
  sync(dirname(path));
}

/**
 * Puts the kept state in the place of one that a newer version has changed, which is closed and kept aside. Returns where;
 * undefined: there is none that this version can read, and nothing was touched.
 */
export function goBack(newer: Database.Database, path: string, clock: Clock): string | undefined {
  const kept = keptPath(path);
  if (!isReadable(kept)) return undefined;
  // A log that is left beside the file would be taken for the kept state's.
  newer.pragma('wal_checkpoint(TRUNCATE)');
  newer.close();
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
  const aside = asidePath(path, clock);
  copyFileSync(path, aside, constants.COPYFILE_EXCL);
  sync(aside);
  renameSync(kept, path);
  sync(dirname(path));
  return aside;
}

function keptPath(path: string): string {
  return `${path}.kept`;
}

function asidePath(path: string, clock: Clock): string {
  const wanted = `${path}.newer-${new Date(clock.now()).toISOString()}`;
  let target = wanted;
  for (let n = 1; existsSync(target); n += 1) target = `${wanted}-${n}`;
  return target;
}

function isReadable(path: string): boolean {
  if (!existsSync(path)) return false;
  const database = new Database(path, { readonly: true });
  try {
    const number = (name: string): number => Number(database.pragma(name, { simple: true }));
    if (number('application_id') !== APPLICATION_ID || number('user_version') > MIGRATIONS.length) return false;
    return database.pragma('integrity_check(1)', { simple: true }) === 'ok';
  } catch {
    return false;
  } finally {
    database.close();
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
