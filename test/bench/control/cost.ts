import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** What a process has used so far: processor seconds, its own and the kernel's for it, and its resident memory in MB. */
export type Cost = { readonly cpu_s: number; readonly rss_mb: number };

export function costOf(pid: number): Cost {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // the program's name before it, in parentheses, may have spaces (proc(5))
  const [, , , , , , , , , , , user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { cpu_s: (Number(user) + Number(system)) / TICKS_PER_SECOND, rss_mb: (Number(kilobytes) * 1024) / 1e6 };
}

/** Of several processes together. */
export const costOfAll = (pids: readonly number[]): Cost =>
  pids.map(costOf).reduce((sum, one) => ({ cpu_s: sum.cpu_s + one.cpu_s, rss_mb: sum.rss_mb + one.rss_mb }), {
    cpu_s: 0,
    rss_mb: 0,
  });
