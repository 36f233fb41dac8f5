import { setTimeout as sleep } from 'node:timers/promises';
import { HOST, type Machine } from './machine.ts';
import type { Child } from './spawn.ts';

const GRACE_MS = 5000;

/** A long-lived program of the lab, ended by its own process id and never by name. */
export class LabProcess {
  readonly pid: number;
  /** resolves once the program has ended, with its exit code, or the signal that ended it */
  readonly exited: Promise<number | string>;
  readonly #child: Child;
  readonly #said: { text: string };

  private constructor(child: Child, said: { text: string }) {
    this.#child = child;
    this.#said = said;
    this.pid = child.pid;
    this.exited = child.exited;
  }

  /** Starts a program without a shell; throws where it cannot be started. */
  static async start(
    argv: readonly string[],
    environment: Record<string, string> = {},
    machine: Machine = HOST,
  ): Promise<LabProcess> {
    const said = { text: '' };
    const child = await machine.spawn({ argv, environment }, (_, chunk) => (said.text += chunk.toString()));
    return new LabProcess(child, said);
  }

  get running(): boolean {
    return this.#child.running();
  }

  /** Everything it has written so far, both streams. */
  log(): string {
    return this.#said.text;
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child.kill(name);
  }

  /** SIGTERM, and SIGKILL if it has not ended after `graceMs` (default 5 s); resolves once it has ended. */
  async stop(graceMs = GRACE_MS): Promise<void> {
    this.signal('SIGTERM');
    const patience = new AbortController();
    const late = sleep(graceMs, 'late', { signal: patience.signal, ref: false }).catch(() => 'ended');
    if ((await Promise.race([this.exited, late])) === 'late') this.signal('SIGKILL');
    patience.abort();
    await this.exited;
  }

  /** SIGKILL: the way power failures and the kernel's out-of-memory killer end programs. */
  async kill9(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }
}
