import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

/** Ends a control group with what runs in it: `sh CGROUP NAME`. */
export const CGROUP = fileURLToPath(new URL('cgroup.sh', import.meta.url));

// Reads the names of namespaces, control groups and folders until its input ends, which it does however the lab's process ends, even by
// SIGKILL; then ends what still runs in the former and removes them all. After an orderly close it is told to
// forget them: a later lab of the same process may have namespaces of the same names by then.
const SCRIPT = `
set --
while read -r kind name; do
  case $kind in
    done) set -- ;;
    *) set -- "$@" "$kind" "$name" ;;
  esac
done
while [ $# -gt 0 ]; do
  case $1 in
    netns) if [ -e "/run/netns/$2" ]; then
      for try in 1 2 3 4 5; do ip netns pids "$2" | xargs -r kill -9; done
      ip netns delete "$2"
    fi ;;
    cgroup) sh "$0" "$2" ;;
    folder) rm -rf "$2" ;;
  esac
  shift 2
done`;

export type Reaper = {
  /** has it removed after this process's end, if it is still there */
  readonly own: (kind: 'netns' | 'cgroup' | 'folder', name: string) => void;
  /** `clean`: everything is removed already */
  readonly dismiss: (clean: boolean) => void;
};

/**
 * A helper process that outlives this one for a moment. Hooks on this process's exit would not do: Jest gives tests a
 * copy of `process` whose hooks never run, and signals run none. Detached, since ctrl-C goes to the whole group.
 */
export function startReaper(): Reaper {
  const child = spawn('sh', ['-c', SCRIPT, CGROUP], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin.on('error', () => undefined);
  child.unref();
  // The pipe must not keep the lab's process alive either; typed as a plain stream, it is a socket.
  (child.stdin as Socket).unref();
  return {
    own: (kind, name) => void child.stdin.write(`${kind} ${name}\n`),
    dismiss: (clean) => void child.stdin.end(clean ? 'done\n' : ''),
  };
}
