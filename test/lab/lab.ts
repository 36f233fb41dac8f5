import { run, type RunOptions, type RunResult } from './exec.ts';
import { HOST, type Machine } from './machine.ts';
import type { Place } from './namespace.ts';
import { Namespace } from './namespace.ts';
import { LabProcess } from './process.ts';
import type { Reaper } from './reaper.ts';
import { CGROUP } from './reaper.ts';

type Undo = () => unknown;

/**
 * Owns everything a test, the demo or a benchmark makes on a machine. `close` undoes it all in reverse order; if this
 * process dies before, a helper process removes the namespaces, the control groups, what runs in them, and the folders.
 */
export class Lab {
  readonly #undo: Undo[] = [];
  readonly #reaper: Reaper;
  readonly machine: Machine;

  constructor(machine: Machine = HOST) {
    this.machine = machine;
    this.#reaper = machine.reaper();
  }

  /** Has `undo` called at close, before everything made earlier is undone. */
  defer(undo: Undo): void {
    this.#undo.push(undo);
  }

  async namespace(label: string): Promise<Namespace> {
    this.#reaper.own('netns', `ls-${process.pid}-${label}`);
    const namespace = await Namespace.create(label, this.machine);
    this.defer(() => namespace.delete());
    return namespace;
  }

  /** A new empty folder under the system's place for temporary files. */
  async folder(): Promise<string> {
    const { stdout } = await this.run(['mktemp', '-d', '-t', 'linkspan-lab-XXXXXX']);
    const path = stdout.trim();
    this.#reaper.own('folder', path);
    this.defer(() => this.run(['rm', '-rf', path]));
    return path;
  }

  /** Runs a command on the lab's machine, as `run` does. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run(argv, { ...options, on: this.machine });
  }

  /** Writes a file on the lab's machine. */
  async write(file: string, text: string): Promise<void> {
    await this.run(['tee', file], { input: text });
  }

  /** Has the control groups of this name, in every hierarchy, removed at close, with what runs in them. */
  cgroup(name: string): void {
    this.#reaper.own('cgroup', name);
    this.defer(() => this.run(['sh', CGROUP, name]));
  }

  /** A cable between two namespaces: one interface in each, both up. They go with their namespaces. */
  async veth(a: Namespace, nameA: string, b: Namespace, nameB: string): Promise<void> {
    await this.run([
      'ip',
      'link',
      'add',
      nameA,
      'netns',
      a.name,
      'type',
      'veth',
      'peer',
      'name',
      nameB,
      'netns',
      b.name,
    ]);
    await Promise.all([a.ip('link', 'set', nameA, 'up'), b.ip('link', 'set', nameB, 'up')]);
  }

  /** A bridge over existing interfaces of the namespace, up. */
  async bridge(namespace: Namespace, name: string, ports: readonly string[] = []): Promise<void> {
    const enslave = ports.map((port) => `link set ${port} master ${name}`);
    await namespace.batch([`link add ${name} type bridge`, ...enslave, `link set ${name} up`]);
  }

  /** Starts a program there, ended at close. */
  async process(place: Place, argv: readonly string[], environment: Record<string, string> = {}): Promise<LabProcess> {
    const process = await LabProcess.start(place.inside(argv), environment, this.machine);
    this.defer(() => process.stop());
    return process;
  }

  /** Undoes everything, newest first, past failures; then throws what failed. May be called twice. */
  async close(): Promise<void> {
    const failures: unknown[] = [];
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) {
      try {
        await undo();
      } catch (error) {
        failures.push(error);
      }
    }
    this.#reaper.dismiss(failures.length === 0);
    if (failures.length > 0) throw new AggregateError(failures, `closing the lab: ${failures.join('; ')}`);
  }
}

/** Runs `body` with a lab that is closed whatever happens. */
export async function withLab<T>(body: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = new Lab();
  try {
    return await body(lab);
  } finally {
    await lab.close();
  }
}
