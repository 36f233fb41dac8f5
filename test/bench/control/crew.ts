import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../../lab/lab.ts';
import type { Answer, Name, Order, Reply } from './orders.ts';

/** Whole gateways, or such as only load the broker. */
const PROGRAMS = { whole: 'worker.ts', light: 'light-worker.ts' } as const;
/** A thousand gateways in one process come near V8's own limit of 4 GB. */
const HEAP = ['--max-old-space-size=8192'];
const ANSWER_MS = 600_000;

/** A process that holds some of the fleet's gateways. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  #next = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (reply: Reply) => this.#answered(reply));
    child.once('exit', (code, signal) => this.#ended(`worker ${child.pid} ended: ${code ?? signal}`));
  }

  /** Starts one; it is ended at the lab's close. */
  static start(lab: Lab, kind: keyof typeof PROGRAMS = 'whole'): Worker {
    const program = fileURLToPath(new URL(PROGRAMS[kind], import.meta.url));
    const worker = new Worker(fork(program, { execArgv: HEAP, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
    lab.defer(() => worker.kill());
    return worker;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Tells it something; rejects where it fails or does not answer within ten minutes. */
  ask<N extends Name>(name: N, order: Order<N>): Promise<Answer<N>> {
    const id = this.#next++;
    const answered = new Promise<unknown>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${name}: no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
      this.#waiting.set(id, {
        resolve: (answer) => (clearTimeout(late), resolve(answer)),
        reject: (error) => (clearTimeout(late), reject(error)),
      });
    });
    this.#child.send({ id, name, order });
    return answered as Promise<Answer<N>>;
  }

  /** SIGKILL, as at a crash; resolves once it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }

  #answered({ id, answer, error }: Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(answer);
    else waiting?.reject(new Error(error));
  }

  #ended(how: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(how));
    this.#waiting.clear();
  }
}
