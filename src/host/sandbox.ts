import { statfsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { SystemCallError } from './libc.ts';
import { type ObservedLink, readLinks } from './links.ts';

export const NAMED_NAMESPACES = '/run/netns';

/** A sandbox's namespace as it stands; the inode tells one namespace from a later one of the same name. */
export type ObservedSandbox = { readonly inode: number; readonly links: readonly ObservedLink[] };

/**
 * Reads the namespace at `path`, or undefined where it is gone. The gateway's own namespace is no sandbox, by whichever
 * name: the host ends of veth pairs in it are no workload's interfaces.
 */
export async function readSandbox(path: string): Promise<ObservedSandbox | undefined> {
  try {
    const [{ ino }, own] = await Promise.all([stat(path), stat('/proc/self/ns/net')]);
    return ino === own.ino ? undefined : { inode: ino, links: await readLinks(path) };
  } catch (error) {
    if (error instanceof SystemCallError && !ENTERING.has(error.syscall)) throw error;
    return undefined;
  }
}

/** What fails where a namespace is gone; whatever else fails says nothing of it, and nothing may be taken down for it. */
const ENTERING: ReadonlySet<string> = new Set(['open', 'setns']);

/** The kind of file system that namespaces are files of (NSFS_MAGIC, linux/magic.h). */
const NSFS = 0x6e_73_66_73;

/** Whether `path` leads to a namespace: of one that Docker has let go an empty file stays for up to a minute. */
export function isNamespace(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS;
  } catch {
    return false;
  }
}

/** The paths of all named namespaces of this machine. */
export async function namedSandboxes(): Promise<readonly string[]> {
  const names = await readdir(NAMED_NAMESPACES).catch(() => []);
  return names.map((name) => `${NAMED_NAMESPACES}/${name}`);
}
