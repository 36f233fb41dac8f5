import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeDurably } from './state-notes.ts';
import { syncDirectory } from './sync-directory.ts';

/** On the data partition; whoever mounts that at the next start makes it anew where this is there. */
const MARK = '/data/.factory-reset';

/** Has the next start forget all that is stored; on the disk when this returns. False: there is no data partition. */
export function markFactoryReset(): boolean {
  const directory = dirname(MARK);
  if (!isMount(directory)) return false;
  writeDurably(MARK, '');
  syncDirectory(directory);
  return true;
}

function isMount(directory: string): boolean {
  const at = statSync(directory, { throwIfNoEntry: false });
  return at?.isDirectory() === true && at.dev !== statSync('/').dev;
}
