import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { LAB_ENVIRONMENT } from './exec.ts';

const GRACE_MS = 5000;

/** A long-lived program of the lab, ended by its own process id and never by name. */
export class LabProcess {
  readonly pid: number;
  /** resolves once the program has ended, with its exit code, or the signal that ended it */
  readonly exited: Promise<number | string>;
  readonly #child: ChildProcess;
  #output = '';

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
    child.stdout?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    this.exited = new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal ?? -1)));
  }

  /** Starts a program without a shell; throws where it cannot be started. */
  static async start(argv: readonly string[], environment: Record<string, string> = {}): Promise<LabProcess> {
    const [program = '', ...rest] = argv;
    const env = { ...LAB_ENVIRONMENT, ...environment };
    const child = spawn(program, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new Error(`${argv.join(' ')}: ${error.message}`)));
    });
    return new LabProcess(child, child.pid ?? -1);
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Everything it has written so far, both streams. */
  log(): string {
    return this.#output;
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
