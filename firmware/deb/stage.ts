import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, globSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Architecture, elfMachine } from './architecture.ts';
import type { Entry } from './contents.ts';

const ELF_HEAD = 64;
/** Passwords and private keys lie there; the units say the same. */
const CLOSED = new Set(['etc/linkspan']);

/** Lays the files of a package out in `root`, with fixed modes and times; everything that is ELF is stripped and for that machine. */
export function stage(root: string, entries: readonly Entry[], { triplet, machine }: Architecture): void {
  rmSync(root, { recursive: true, force: true });
  for (const entry of entries) write(`${root}/${entry.to}`, entry);
  for (const file of elfFiles(root)) {
    execFileSync(`${triplet}-strip`, ['--strip-unneeded', `${root}/${file}`]);
    const found = machineOf(`${root}/${file}`);
    if (found !== machine) throw new Error(`${file} is for machine ${found}, not for ${machine} (${triplet})`);
  }
}

/** Modes and times must not tell who built it, and when. */
export function settle(root: string, epoch: number): void {
  for (const path of globSync('**', { cwd: root }).concat('.')) {
    const [file, { mode }] = [`${root}/${path}`, statSync(`${root}/${path}`)];
    const isFolder = (mode & 0o170000) === 0o040000;
    const open = isFolder || (mode & 0o100) !== 0 ? 0o755 : 0o644;
    chmodSync(file, CLOSED.has(path) ? 0o750 : open);
    utimesSync(file, epoch, epoch);
  }
}

/** Lines of `md5sums`, by which `dpkg --verify` finds files that were damaged or changed. */
export function md5sums(root: string): string {
  return filesOf(root)
    .map(
      (path) =>
        `${createHash('md5')
          .update(readFileSync(`${root}/${path}`))
          .digest('hex')}  ${path}\n`,
    )
    .join('');
}

/** Size of the files in KiB, as Debian counts it: each rounded up. */
export function installedSize(root: string): number {
  return filesOf(root).reduce((sum, path) => sum + Math.ceil(statSync(`${root}/${path}`).size / 1024), 0);
}

function write(file: string, entry: Entry): void {
  mkdirSync(dirname(file), { recursive: true });
  if ('from' in entry) copyFileSync(entry.from, file);
  else writeFileSync(file, entry.text);
  chmodSync(file, entry.executable === true ? 0o755 : 0o644);
}

function filesOf(root: string): readonly string[] {
  const all = globSync('**', { cwd: root }).filter((path) => !path.startsWith('DEBIAN'));
  return all.filter((path) => statSync(`${root}/${path}`).isFile()).sort();
}

function elfFiles(root: string): readonly string[] {
  return filesOf(root).filter((path) => machineOf(`${root}/${path}`) !== undefined);
}

function machineOf(file: string): number | undefined {
  const head = Buffer.alloc(ELF_HEAD);
  const descriptor = openSync(file, 'r');
  const length = readSync(descriptor, head);
  closeSync(descriptor);
  return elfMachine(head.subarray(0, length));
}
