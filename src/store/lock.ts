import Database from 'better-sqlite3';
import { LinkspanError } from '../service/errors.ts';

/** Milliseconds to wait for a lock: the store is synchronous, so every one of them stands the whole service still. */
export const BUSY_TIMEOUT_MS = 250;

/**
 * Takes the one-instance lock of a state file and returns how to give it back.
 *
 * It is an exclusive SQLite transaction on an empty file beside the state. SQLite's lock is a kernel record lock
 * (fcntl), which the kernel drops with the process however that ends, `kill -9` included; a pid file would not be
 * dropped. It is not on the state file itself, so that a technician can still read that with `sqlite3`, and so that
 * a broken state file can be moved aside with the lock held. SQLite also knows the locks of its own process, where
 * record locks alone never conflict. The file stays behind on purpose: deleting it would race with a second instance.
 *
 * @throws LinkspanError `state_in_use` when another instance has it
 */
export function takeLock(statePath: string): () => void {
  const connection = new Database(`${statePath}.lock`, { timeout: BUSY_TIMEOUT_MS });
  try {
    // SQLite begins a journal with it, for which a full disk has no room
    connection.pragma('journal_mode = MEMORY');
    connection.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    connection.close();
    throw sqliteCode(error).startsWith('SQLITE_BUSY') ? inUse(statePath, error) : error;
  }
  return () => void connection.close();
}

/**
 * SQLite's name for a failure, e.g. SQLITE_BUSY; empty for any other error. By the property, not by class: the native
 * part is loaded once a process and its errors have the class of whoever loaded the package first.
 */
export function sqliteCode(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : '';
}

function inUse(statePath: string, cause: unknown): LinkspanError {
  return new LinkspanError({
    code: 'state_in_use',
    object: statePath,
    reason: 'another Linkspan instance is using this state',
    remedy: 'stop the other instance, or give this one another state.path',
    cause,
  });
}
