import { mkdir, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EngineName, Engines } from './docker-engines.ts';
import { dockerEngines } from './docker-engines.ts';
import { run } from './exec.ts';
import type { Lab } from './lab.ts';
import type { Namespace, Place } from './namespace.ts';
import { LabProcess } from './process.ts';
import { CGROUP } from './reaper.ts';
import { until } from './wait.ts';

const SCRIPT = fileURLToPath(new URL('dockerd-node.sh', import.meta.url));

const MOUNTS_MS = 30_000;
const STORAGE = /^storage (\w+)$/m;
const KEEPER = /^keeper (\w+) (\d+)$/gm;

/**
 * A machine for Docker: a lab's network namespace together with mount namespaces that stay the same however often
 * dockerd is started again (a sandbox's key, `/run/docker/netns/…`, is a mount). `/run` is its own there, so dockerd,
 * its plugins and what else is started `inside` find each other at their default paths; everything else is the
 * machine's.
 */
export class DockerNode implements Place {
  readonly namespace: Namespace;
  readonly engines: Engines;
  /** the node's own, at the same path outside and inside */
  readonly folder: string;
  /** a folder of the host that is `/run/docker/plugins` inside */
  readonly plugins: string;
  readonly #keeper: LabProcess;

  private constructor(namespace: Namespace, engines: Engines, folder: string, keeper: LabProcess) {
    this.namespace = namespace;
    this.engines = engines;
    this.folder = folder;
    this.plugins = join(folder, 'plugins');
    this.#keeper = keeper;
  }

  /** Makes it; at the lab's close everything in it is ended at once, containers too. */
  static async create(lab: Lab, namespace: Namespace): Promise<DockerNode> {
    const engines = await dockerEngines();
    lab.cgroup(namespace.name);
    const folder = await lab.folder();
    await mkdir(join(folder, 'plugins'));
    const unshared = ['unshare', '--mount', '--propagation', 'slave', 'sh', SCRIPT, folder, engines.folder];
    const keeper = await LabProcess.start(namespace.inside(unshared));
    const node = new DockerNode(namespace, engines, folder, keeper);
    lab.defer(() => node.#close());
    await until('the mounts of a Docker node', () => !keeper.running || node.storageDriver !== undefined, MOUNTS_MS);
    if (keeper.running) return node;
    // Only then it has said all.
    await keeper.exited;
    throw new Error(`no mount namespace for Docker in ${namespace.name}: ${keeper.log()}`);
  }

  /** What works on this machine. */
  get storageDriver(): string | undefined {
    return STORAGE.exec(this.#keeper.log())?.[1];
  }

  /** The control group that holds its containers' groups. */
  get cgroup(): string {
    return this.namespace.name;
  }

  /** What lies at `path` inside, such as `/run/docker.sock`, as a path that works outside. */
  outside(path: string): string {
    return `/proc/${this.#keeper.pid}/root${path}`;
  }

  /** The command as it is run inside, with the machine's programs. */
  inside(argv: readonly string[]): readonly string[] {
    return this.#entering(this.#keeper.pid, '/', argv);
  }

  /** The command as it is run inside with an engine's programs as the installed ones, in the folder `cwd`. */
  withEngine(engine: EngineName, argv: readonly string[], cwd = '/'): readonly string[] {
    const keeper = this.#keepers().get(engine);
    if (keeper === undefined) throw new Error(`no mount namespace for engine ${engine}: ${this.#keeper.log()}`);
    // Nothing of the caller's: its proxies, its settings of Docker and its programs are not meant.
    const environment = ['env', '-i', 'PATH=/usr/sbin:/usr/bin', `HOME=${this.folder}`, 'LC_ALL=C'];
    return [...environment, ...this.#entering(keeper, cwd, argv)];
  }

  /** Per engine the process that keeps the mount namespace in which its programs are the installed ones. */
  #keepers(): ReadonlyMap<string, number> {
    return new Map([...this.#keeper.log().matchAll(KEEPER)].map(([, engine = '', pid]) => [engine, Number(pid)]));
  }

  #entering(keeper: number, cwd: string, argv: readonly string[]): readonly string[] {
    const mounts = [`--mount=/proc/${keeper}/ns/mnt`, `--wd=/proc/${keeper}/root${cwd}`];
    return ['nsenter', ...mounts, `--net=${this.namespace.path}`, '--', ...argv];
  }

  /** SIGKILL to every program inside and to every container, until none is left; mounts and network stay. */
  async endAll(): Promise<void> {
    const keepers = [this.#keeper.pid, ...this.#keepers().values()];
    await until(`what runs in ${this.namespace.name} to end`, async () => {
      const pids = (await processesBeside(keepers)).filter((pid) => !keepers.includes(pid));
      for (const pid of pids) kill9(pid);
      return pids.length === 0;
    });
    await run(['sh', CGROUP, this.cgroup]);
  }

  async #close(): Promise<void> {
    try {
      await this.endAll();
    } finally {
      for (const pid of this.#keepers().values()) kill9(pid);
      await this.#keeper.kill9();
    }
  }
}

/** Every process that shares its mount namespace with one of these. */
async function processesBeside(pids: readonly number[]): Promise<readonly number[]> {
  const theirs = await Promise.all(pids.map(mountNamespace));
  const all = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const namespaces = await Promise.all(all.map(mountNamespace));
  return all.filter((_, index) => namespaces[index] !== undefined && theirs.includes(namespaces[index]));
}

/** Of a process that has ended, though its parent has not noticed, there is none. */
const mountNamespace = (pid: number): Promise<string | undefined> =>
  readlink(`/proc/${pid}/ns/mnt`).catch(() => undefined);

function kill9(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was faster.
  }
}
