import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Has on the disk what the directory lists: a name that was made, moved or removed. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
