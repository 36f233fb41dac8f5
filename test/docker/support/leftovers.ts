import { readdir, readFile, readlink } from 'node:fs/promises';
import { run } from '../../lab/exec.ts';

/**
 * What a lab of process `pid` could leave on the machine, as sorted lines: mounts, control groups, links,
 * packet filter rules, what lies in /run. Named network namespaces only of that process: other labs may run beside.
 */
export async function machineState(pid: number): Promise<readonly string[]> {
  const [mounts, groups, run_, namespaces, links, rules] = await Promise.all([
    readFile('/proc/self/mountinfo', 'utf8').then(mountPoints),
    run(['find', '/sys/fs/cgroup', '-maxdepth', '2', '-type', 'd']).then(({ stdout }) => stdout.split('\n')),
    readdir('/run'),
    readdir('/run/netns').catch(() => []),
    run(['ip', '-o', 'link']).then(({ stdout }) => stdout.split('\n').map((line) => line.split(': ')[1] ?? '')),
    run(['nft', 'list', 'ruleset']).then(({ stdout }) => stdout.split('\n')),
  ]);
  const foreign = new RegExp(`/ls-(?!${pid}-)`);
  return [
    ...mounts.map((mount) => `mount ${mount}`),
    ...groups.filter((group) => /\/(ls-|docker)/.test(group)).map((group) => `cgroup ${group}`),
    // The first namespace of all makes the folder, and it stays.
    ...run_.filter((name) => name !== 'netns').map((name) => `run ${name}`),
    ...namespaces.map((name) => `netns /${name}`),
    ...links.map((name) => `link ${name}`),
    ...rules.map((line) => `nft ${line}`),
  ]
    .filter((line) => !foreign.test(line))
    .toSorted();
}

const mountPoints = (mountinfo: string): readonly string[] =>
  mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => !path.startsWith('/run/netns'));

/** Those of the processes that still run; one that only waits for its parent to notice does not. */
export async function running(pids: readonly number[]): Promise<readonly number[]> {
  const alive = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/exe`).catch(() => undefined)));
  return pids.filter((_, index) => alive[index] !== undefined);
}

/** Every process in a named network namespace, in whichever mount namespace. */
export async function processesIn(namespace: string): Promise<readonly number[]> {
  const { stdout } = await run(['ip', 'netns', 'pids', namespace]);
  return stdout.split('\n').filter(Boolean).map(Number);
}
