import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory } from './sync-directory.ts';

/** A small file, as text; empty where there is none. */
export function readNote(directory: string, name: string): string {
  try {
    return readFileSync(join(directory, name), 'utf8');
  } catch {
    return '';
  }
}

/** Replaces the file whole; on the disk when this returns. */
export function writeNote(directory: string, name: string, text: string): void {
  const path = join(directory, name);
  writeDurably(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  syncDirectory(dirname(path));
}

export function removeNote(directory: string, name: string): void {
  rmSync(join(directory, name), { force: true });
  syncDirectory(directory);
}

/** The directory's entry is not: see `syncDirectory`. */
export function writeDurably(path: string, text: string): void {
  const descriptor = openSync(path, 'w', 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
