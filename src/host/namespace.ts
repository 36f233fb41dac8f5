import { libc, type Libc, LINUX } from './libc.ts';

/**
 * Runs synchronous `work` with the calling thread inside the network namespace at `path`; what is opened there stays
 * there (namespaces(7)). Nothing else of this process runs meanwhile.
 * @throws SystemCallError where the namespace is gone
 */
export function within<T>(path: string, work: (calls: Libc) => T): T {
  const calls = libc();
  const home = calls.open('/proc/self/ns/net', LINUX.O_RDONLY | LINUX.O_CLOEXEC);
  try {
    const there = calls.open(path, LINUX.O_RDONLY | LINUX.O_CLOEXEC);
    try {
      calls.setns(there, LINUX.CLONE_NEWNET);
      return work(calls);
    } finally {
      calls.setns(home, LINUX.CLONE_NEWNET);
      calls.close(there);
    }
  } finally {
    calls.close(home);
  }
}
