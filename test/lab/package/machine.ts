import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, type RunResult } from '../exec.ts';
import type { Lab } from '../lab.ts';
import type { Namespace } from '../namespace.ts';
import type { LabProcess } from '../process.ts';
import { until } from '../wait.ts';

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
/** Debian's packages come over the network, some 60 MB. */
const FETCH_MS = 600_000;
const COMMAND_MS = 120_000;
const BOOT_MS = 20_000;
/** One entry point of the hierarchy of version 2, wherever the machine has it, and this shell as its member. */
const IN_CGROUP =
  'for base in /sys/fs/cgroup/unified /sys/fs/cgroup; do [ ! -e $base/cgroup.procs ] || break; done; mkdir $base/$1; echo $$ >$base/$1/cgroup.procs; shift; exec "$@"';

/** A minimal Debian with a disk and a network of its own: first its root alone, as images are built, then booted. */
export class DebianMachine {
  readonly namespace: Namespace;
  readonly #lab: Lab;
  readonly #root: string;
  readonly #keeper: LabProcess;
  #systemd: number | undefined;

  private constructor(lab: Lab, namespace: Namespace, root: string, keeper: LabProcess) {
    this.#lab = lab;
    this.namespace = namespace;
    this.#root = root;
    this.#keeper = keeper;
  }

  /** Makes it, with the files of a folder at `/packages`, and an uplink `eth0` that leads nowhere. */
  static async create(lab: Lab, packages: string): Promise<DebianMachine> {
    const { stdout } = await run(['sh', script('root.sh')], { timeoutMs: FETCH_MS });
    const namespace = await lab.namespace('deb');
    await namespace.batch([
      'link add eth0 type veth peer name wire0',
      'link set wire0 up',
      'address add 198.51.100.1/24 dev eth0',
      'link set eth0 up',
      'route add default via 198.51.100.254',
    ]);
    const folder = await lab.folder();
    const unshared = [
      'unshare',
      '--mount',
      '--uts',
      '--ipc',
      'sh',
      script('machine.sh'),
      folder,
      stdout.trim(),
      packages,
    ];
    const keeper = await lab.process(namespace, unshared);
    await until('the root of a Debian', () => !keeper.running || keeper.log().includes('ready'));
    if (!keeper.running) throw new Error(`no root: ${keeper.log()}`);
    return new DebianMachine(lab, namespace, join(folder, 'root'), keeper);
  }

  /** Runs a command in the root while nothing runs there, or on the machine once it was booted. */
  exec(...argv: readonly string[]): Promise<RunResult> {
    return run(this.#inside(argv), { timeoutMs: COMMAND_MS });
  }

  /** As `exec`; a failure is in the result's `code`. */
  attempt(...argv: readonly string[]): Promise<RunResult> {
    return run(this.#inside(argv), { timeoutMs: COMMAND_MS, allowFailure: true });
  }

  /** Writes a file there. */
  async write(file: string, text: string): Promise<void> {
    await run(this.#inside(['tee', file]), { input: text });
  }

  /** Boots it: systemd runs from then on, in a control group and a PID namespace of its own. */
  async boot(): Promise<void> {
    const group = this.namespace.name;
    this.#lab.cgroup(group);
    const entered = ['nsenter', `--target=${this.#keeper.pid}`, '--mount', '--uts', '--ipc', '--net', '--'];
    const unshared = [
      'unshare',
      '--cgroup',
      '--mount',
      '--propagation=private',
      '--pid',
      '--fork',
      '--kill-child',
      '--',
    ];
    const argv = ['sh', '-euc', IN_CGROUP, '-', group, ...entered, ...unshared, 'sh', script('boot.sh'), this.#root];
    const outer = await this.#lab.process({ inside: (words) => words }, argv);
    this.#systemd = await until('systemd to start', () => firstProcess(outer.pid));
    await until('systemd to be done', async () => (await this.#state()) !== 'starting', BOOT_MS);
  }

  async #state(): Promise<string> {
    const { stdout } = await this.attempt('systemctl', 'is-system-running');
    return ['running', 'degraded', 'maintenance'].includes(stdout.trim()) ? stdout.trim() : 'starting';
  }

  #inside(argv: readonly string[]): readonly string[] {
    const spaces = ['--mount', '--uts', '--ipc', '--net'];
    const clean = [
      'env',
      '-i',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      'LC_ALL=C.UTF-8',
      'DEBIAN_FRONTEND=noninteractive',
    ];
    if (this.#systemd === undefined)
      return ['nsenter', `--target=${this.#keeper.pid}`, ...spaces, 'chroot', this.#root, ...clean, ...argv];
    return ['nsenter', `--target=${this.#systemd}`, ...spaces, '--pid', '--cgroup', ...clean, ...argv];
  }
}

/** The process of that name which `unshare` became the parent of, as this machine numbers it. */
async function firstProcess(pid: number): Promise<number | undefined> {
  const child = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim();
  return (await readFile(`/proc/${child}/comm`, 'utf8')).trim() === 'systemd' ? Number(child) : undefined;
}
