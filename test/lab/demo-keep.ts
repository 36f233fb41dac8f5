import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from './wait.ts';

/** Where demos that are left running are listed, one file each, named by process id. Only root writes there. */
const KEPT = '/run/linkspan-demo';

/** When a process was started, in the kernel's ticks: tells it from a later one with the same process id. */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in parentheses may hold spaces; the start time is the 22nd field of all, the 20th after it.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

/** Lists this process as a demo that runs until `endKept`; the result takes it off the list. */
export async function register(): Promise<() => Promise<void>> {
  const file = join(KEPT, String(process.pid));
  await mkdir(KEPT, { recursive: true, mode: 0o700 });
  await writeFile(file, (await startOf(process.pid)) ?? '');
  return () => rm(file, { force: true });
}

/** Ends every demo that was left running, and waits until each has cleaned up; returns their process ids. */
export async function endKept(): Promise<readonly number[]> {
  const ended: number[] = [];
  for (const name of await readdir(KEPT).catch(() => [])) {
    const pid = Number(name);
    const start = await readFile(join(KEPT, name), 'utf8').catch(() => '');
    if (start !== '' && start === (await startOf(pid))) {
      process.kill(pid, 'SIGTERM');
      await until(`demo ${pid} to clean up`, async () => (await startOf(pid)) !== start, 30_000);
      ended.push(pid);
    }
    await rm(join(KEPT, name), { force: true });
  }
  return ended;
}
