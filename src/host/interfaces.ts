import { libc } from './libc.ts';

/** Whether the own namespace has an interface of that name. One system call, no child process. */
export function hasInterface(name: string): boolean {
  try {
    return libc().ifNameToIndex(name) !== 0;
  } catch {
    return false;
  }
}
