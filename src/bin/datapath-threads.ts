import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { COUNTERS_BYTES, Counters, type Counts, totals } from '../datapath/counters.ts';
import type { CallBatch } from '../host/call-batch.ts';
import { makeBell, ring, silence } from '../host/poller.ts';
import type { Mail, Report, WorkerData } from './datapath-mail.ts';

export type Modules = { readonly segment: WebAssembly.Module; readonly coalesce: WebAssembly.Module };

type Thread = {
  readonly worker: Worker;
  readonly mail: MessagePort;
  readonly bell: number;
  readonly counters: Counters;
};

type Role = WorkerData['role'];

/** The datapath's threads: told by mail and a bell, since they sleep in the kernel and not in an event loop. */
export class DatapathThreads {
  readonly #threads: readonly Thread[];
  readonly #waiting = new Map<number, { left: number; resolve: () => void }>();
  #sequence = 0;
  /** how the threads make their system calls; null before they have said */
  batching: CallBatch['kind'] | null = null;

  /**
   * @param file of the worker's program
   * @param port of VXLAN
   * @param onTapGone a thread says that a TAP cannot be read any more
   * @param onTooBig a thread says that packets were too big for the way to a peer
   * @param onFailure a thread ended, which it never does by itself
   */
  constructor(options: {
    readonly file: URL;
    readonly modules: Modules;
    readonly workers: 'one' | 'two';
    readonly port: number;
    readonly onTapGone: (vni: number) => void;
    readonly onTooBig: () => void;
    readonly onFailure: (error: Error) => void;
  }) {
    const roles: readonly Role[] = options.workers === 'one' ? ['both'] : ['egress', 'ingress'];
    const between = new MessageChannel();
    const bells = roles.map(() => makeBell());
    this.#threads = roles.map((role, index): Thread => {
      const { port1, port2 } = new MessageChannel();
      const counters = new SharedArrayBuffer(COUNTERS_BYTES);
      const bell = bells[index] ?? -1;
      const neighbour =
        role === 'ingress'
          ? { mail: between.port1, bell: bells[0] ?? -1 }
          : role === 'egress'
            ? { mail: between.port2 }
            : {};
      const data: WorkerData = { ...options.modules, role, port: options.port, bell, mail: port2, neighbour, counters };
      const transferList = neighbour.mail === undefined ? [port2] : [port2, neighbour.mail];
      const worker = new Worker(options.file, { workerData: data, transferList });
      worker.on('error', options.onFailure);
      port1.on('message', (report: Report) => {
        if (report.kind === 'applied') this.#applied(report);
        // What is said about an earlier state, whoever works by the new one will find out by itself.
        else if (report.sequence !== this.#sequence) return;
        else if (report.kind === 'tap_gone') options.onTapGone(report.vni);
        else options.onTooBig();
      });
      return { worker, mail: port1, bell, counters: new Counters(counters) };
    });
  }

  /** Resolves when every thread works by the new state. */
  apply(state: Omit<Extract<Mail, { kind: 'state' }>, 'kind' | 'sequence'>): Promise<void> {
    this.#sequence += 1;
    const sequence = this.#sequence;
    return new Promise((resolve) => {
      this.#waiting.set(sequence, { left: this.#threads.length, resolve });
      this.#tell({ kind: 'state', sequence, ...state });
    });
  }

  get counts(): Counts {
    return totals(this.#threads.map((thread) => thread.counters));
  }

  /** Resolves when all threads have ended, some milliseconds later. */
  async stop(): Promise<void> {
    const ended = this.#threads.map(({ worker }) => new Promise((resolve) => worker.once('exit', resolve)));
    this.#tell({ kind: 'stop' });
    await Promise.all(ended);
    for (const { mail, bell } of this.#threads) {
      mail.close();
      silence(bell);
    }
  }

  #tell(mail: Mail): void {
    for (const thread of this.#threads) {
      thread.mail.postMessage(mail);
      ring(thread.bell);
    }
  }

  #applied({ sequence, batching }: Extract<Report, { kind: 'applied' }>): void {
    this.batching = batching;
    const entry = this.#waiting.get(sequence);
    if (entry === undefined) return;
    entry.left -= 1;
    if (entry.left > 0) return;
    this.#waiting.delete(sequence);
    entry.resolve();
  }
}
