import type { RunResult } from './exec.ts';
import { run } from './exec.ts';
import { HOST, type Machine } from './machine.ts';
import { LabProcess } from './process.ts';

/** Somewhere to start a program: `inside` gives the arguments that run it there. */
export type Place = Pick<NetworkNamespace, 'inside'>;

/** A network namespace, whoever made it: `path` names it in the file system, `name` in messages. */
export class NetworkNamespace {
  readonly name: string;
  readonly path: string;
  readonly machine: Machine;

  constructor(name: string, path: string, machine: Machine = HOST) {
    this.name = name;
    this.path = path;
    this.machine = machine;
  }

  /** The command as it is run inside. Not `ip netns exec`: that also remounts /sys, and cgroups vanish. */
  inside(argv: readonly string[]): readonly string[] {
    return ['nsenter', `--net=${this.path}`, '--', ...argv];
  }

  /** Runs a command inside; throws when it fails. */
  exec(...argv: readonly string[]): Promise<RunResult> {
    return run(this.inside(argv), { on: this.machine });
  }

  /** Runs a command inside; a failure is in the result's `code`. */
  attempt(...argv: readonly string[]): Promise<RunResult> {
    return run(this.inside(argv), { on: this.machine, allowFailure: true });
  }

  /** Starts a program inside; the caller ends it (or uses Lab.process, which does). */
  spawn(...argv: readonly string[]): Promise<LabProcess> {
    return LabProcess.start(this.inside(argv), {}, this.machine);
  }

  ip(...args: readonly string[]): Promise<RunResult> {
    return this.exec('ip', ...args);
  }

  /** What `ip -json ARGS` answers, unchecked: the caller knows the shape. */
  async ipJson<T>(...args: readonly string[]): Promise<T> {
    const { stdout } = await this.ip('-json', ...args);
    return JSON.parse(stdout || '[]') as T;
  }

  /** Several `ip` commands (without the word `ip`) in one process; stops at the first failure. */
  batch(lines: readonly string[]): Promise<RunResult> {
    return run(this.inside(['ip', '-batch', '-']), { on: this.machine, input: `${lines.join('\n')}\n` });
  }

  /** Whether `address` answers one ping within `timeoutS` seconds. */
  async reaches(address: string, timeoutS = 1): Promise<boolean> {
    const { code } = await this.attempt('ping', '-n', '-q', '-c', '1', '-W', String(timeoutS), address);
    return code === 0;
  }
}

/** A named network namespace of this process; its loopback is up. */
export class Namespace extends NetworkNamespace {
  readonly label: string;

  private constructor(label: string, machine: Machine) {
    const name = `ls-${process.pid}-${label}`;
    super(name, `/run/netns/${name}`, machine);
    this.label = label;
  }

  /** Makes `/run/netns/ls-<pid>-<label>`: the process id keeps runs side by side apart. */
  static async create(label: string, machine: Machine = HOST): Promise<Namespace> {
    const namespace = new Namespace(label, machine);
    await run(['ip', 'netns', 'add', namespace.name], { on: machine });
    await namespace.ip('link', 'set', 'lo', 'up');
    return namespace;
  }

  /** Deletes it; what runs inside must have ended. */
  async delete(): Promise<void> {
    await run(['ip', 'netns', 'delete', this.name], { on: this.machine });
  }
}
