import { statSync } from 'node:fs';
import { watchNamespaces } from './link-events.ts';
import { onTick } from './tick.ts';

/**
 * Calls `onGone` soon after the file of a namespace in `held` (by path, with its inode) has gone or become another's: a
 * namespace lives on, with its interfaces, as long as somebody has a socket in it. Named ones are told at once, those
 * of processes and of Docker, which unmounts first, within 250 ms; to look at 200 of them takes a millisecond.
 */
export function watchSandboxes(
  held: () => Iterable<readonly [path: string, inode: number]>,
  onGone: (path: string) => void,
): { close(): void } {
  const look = (): void => {
    for (const [path, inode] of held()) if (inodeOf(path) !== inode) onGone(path);
  };
  const stop = onTick(look);
  const watcher = watchNamespaces(look);
  return {
    close: () => {
      stop();
      watcher?.close();
    },
  };
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    // ENOENT, or ESRCH for a process that has just ended
    return undefined;
  }
}
