import { AddressBook } from '../datapath/address-book.ts';
import { totals } from '../datapath/counters.ts';
import { type EngineState, numberState } from '../datapath/engine-state.ts';
import { Paths } from '../datapath/paths.ts';
import { canonicalState, type DatapathState } from '../datapath/state.ts';
import type { DatapathStatus } from '../datapath/status.ts';
import { pathMtu } from '../host/path-mtu.ts';
import { closeTap } from '../host/tap.ts';
import { closeUnderlay } from '../host/underlay.ts';
import { messageOf } from '../service/errors.ts';
import type { Log } from '../service/log.ts';
import type { DatapathThreads, Modules } from './datapath-threads.ts';
import { HeldTaps } from './held-taps.ts';
import { HeldUnderlay } from './held-underlay.ts';

const RETRY_MS = 1000;
/** A router's word on a narrow way is forgotten by the kernel after ten minutes. */
const PATHS_MS = 60_000;

export type DatapathOptions = {
  /** the worker's program */
  readonly workerFile: URL;
  readonly modules: Modules;
  readonly workers: 'one' | 'two';
  readonly log: Log;
};

/** The datapath as a process: holds the descriptors, and brings threads and descriptors to the state it is told. */
export class Datapath {
  readonly #options: DatapathOptions;
  readonly #book = new AddressBook();
  #state: DatapathState | undefined;
  /** of that state's VTEPs */
  #addresses: ReadonlySet<string> = new Set();
  readonly #paths = new Paths((ip) => this.#state && pathMtu(this.#state.vtep.ip, ip));
  readonly #pathTimer = setInterval(() => {
    if (this.#paths.list.length > 0) this.#lookAtPaths();
  }, PATHS_MS);
  #threads: { readonly port: number; readonly run: DatapathThreads } | undefined;
  readonly #underlay: HeldUnderlay;
  readonly #taps: HeldTaps;
  #retry: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: DatapathOptions) {
    this.#options = options;
    this.#underlay = new HeldUnderlay(options.log);
    this.#taps = new HeldTaps(options.log);
  }

  /** Brings everything to the state, and resolves when frames flow by it. What cannot be opened is tried again. */
  set(state: DatapathState): Promise<void> {
    const done = this.#turn.then(() => this.#set(state));
    // One that fails is told to its caller, and keeps no later one from its turn.
    this.#turn = done.catch(() => undefined);
    return done;
  }

  status(): Omit<DatapathStatus, 'version' | 'uptime_s'> {
    const networks = this.#state?.networks ?? [];
    return {
      v: 1,
      pid: process.pid,
      rss_bytes: process.memoryUsage.rss(),
      workers: this.#options.workers,
      batching: this.#threads?.run.batching ?? null,
      state: this.#state === undefined ? null : canonicalState(this.#state),
      underlay: {
        ok: this.#underlay.open !== undefined,
        problem: this.#underlay.problem,
        gro: this.#underlay.open?.gro ?? false,
      },
      networks: networks.map(({ vni, tap }) => {
        const held = this.#taps.get(tap);
        const offload = held?.tap?.offload ?? null;
        return { vni, tap, ok: held?.tap !== undefined, offload, problem: held?.problem ?? null };
      }),
      paths: this.#paths.list,
      counters: this.#threads?.run.counts ?? totals([]),
    };
  }

  /** TAPs stay, if they were made to; their frames wait for the next process. */
  async stop(): Promise<void> {
    clearInterval(this.#pathTimer);
    clearTimeout(this.#retry);
    await this.#turn;
    await this.#threads?.run.stop();
    this.#threads = undefined;
    this.#underlay.close();
    this.#taps.close();
  }

  async #set(state: DatapathState): Promise<void> {
    clearTimeout(this.#retry);
    // What cannot be numbered changes nothing.
    const numbered = numberState(state, this.#book, ({ ip }) => this.#paths.mtuOf(ip));
    const oldSockets = this.#underlay.bring(state);
    this.#taps.bring(new Set(state.networks.map(({ tap }) => tap)));
    // What a thread lets go of from here on, it may have been told a moment ago.
    const oldTaps = this.#taps.takeUnwanted();
    await this.#applyToThreads(state, numbered);
    this.#state = state;
    this.#addresses = new Set(numbered.peers.flatMap((vtep) => vtep?.ip ?? []));
    for (const tap of oldTaps) closeTap(tap);
    if (oldSockets !== undefined) closeUnderlay(oldSockets);
    if (this.#underlay.problem !== null || !this.#taps.areAllOpen) this.#tryAgain();
  }

  #tryAgain(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#setAgain(), RETRY_MS);
  }

  async #applyToThreads(state: DatapathState, numbered: EngineState): Promise<void> {
    const { port } = state.vtep;
    if (this.#threads !== undefined && (this.#underlay.open === undefined || this.#threads.port !== port)) {
      await this.#threads.run.stop();
      this.#threads = undefined;
    }
    if (this.#underlay.open === undefined) return;
    this.#threads ??= { port, run: await this.#startThreads(port) };
    const open = state.networks.flatMap(({ vni, tap }) => {
      const held = this.#taps.get(tap)?.tap;
      return held === undefined ? [] : [{ vni, held }];
    });
    await this.#threads.run.apply({
      state: numbered,
      taps: new Map(open.map(({ vni, held }) => [vni, held.descriptor])),
      underlay: this.#underlay.open,
      joinsUdp: open.every(({ held }) => held.offload === 'tso+uso'),
    });
  }

  async #startThreads(port: number): Promise<DatapathThreads> {
    // Loaded only now: a gateway without such a network never starts one.
    const { DatapathThreads } = await import('./datapath-threads.ts');
    const { workerFile: file, modules, workers, log } = this.#options;
    return new DatapathThreads({
      file,
      modules,
      workers,
      port,
      onTapGone: (vni) => this.#tapGone(vni),
      onTooBig: () => this.#lookAtPaths(),
      // Whoever supervises this process starts it anew; TAPs and their children stand meanwhile.
      onFailure: (error) => {
        log.error(`a thread of the datapath failed: ${error.stack ?? error.message}`);
        process.exit(1);
      },
    });
  }

  #lookAtPaths(): void {
    if (this.#state === undefined || !this.#paths.look(largestMtu(this.#state), this.#addresses)) return;
    for (const { ip, mtu } of this.#paths.list) {
      this.#options.log.warn(`the way to ${ip} passes packets of ${mtu} bytes inside, less than its networks' MTU`);
    }
    this.#setAgain();
  }

  /** By the state of when its turn comes, which may be a newer one. */
  #setAgain(): void {
    const done = this.#turn.then(() => (this.#state === undefined ? undefined : this.#set(this.#state)));
    this.#turn = done.catch((error: unknown) => this.#options.log.error(messageOf(error)));
  }

  #tapGone(vni: number): void {
    const name = this.#state?.networks.find((network) => network.vni === vni)?.tap;
    if (name !== undefined && this.#taps.lose(name)) this.#tryAgain();
  }
}

function largestMtu({ networks }: DatapathState): number {
  return Math.max(0, ...networks.map(({ mtu }) => mtu));
}
