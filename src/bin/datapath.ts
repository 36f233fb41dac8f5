import { AddressBook } from '../datapath/address-book.ts';
import { totals } from '../datapath/counters.ts';
import { type EngineState, numberState } from '../datapath/engine-state.ts';
import { Paths } from '../datapath/paths.ts';
import { canonicalState, type DatapathNetwork, type DatapathState, type OwnVtep } from '../datapath/state.ts';
import type { DatapathStatus } from '../datapath/status.ts';
import { pathMtu } from '../host/path-mtu.ts';
import { attachTap, closeTap, type OpenTap } from '../host/tap.ts';
import { closeUnderlay, joinGroup, openUnderlay, type OpenUnderlay } from '../host/underlay.ts';
import { messageOf } from '../service/errors.ts';
import type { Log } from '../service/log.ts';
import { DatapathThreads, type Modules } from './datapath-threads.ts';

const RETRY_MS = 1000;
/** A router's word on a narrow way is forgotten by the kernel after ten minutes. */
const PATHS_MS = 60_000;

type HeldUnderlay = { readonly vtep: OwnVtep; readonly open: OpenUnderlay; readonly groups: Set<string> };

type Held = { readonly tap: OpenTap | undefined; readonly problem: string | null };

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
  /** the VTEPs of that state, by number */
  #peers: EngineState['peers'] = [];
  readonly #paths = new Paths((ip) => this.#state && pathMtu(this.#state.vtep.ip, ip));
  readonly #pathTimer = setInterval(() => this.#lookAtPaths(), PATHS_MS);
  #threads: { readonly port: number; readonly run: DatapathThreads } | undefined;
  #underlay: HeldUnderlay | undefined;
  #underlayProblem: string | null = null;
  /** by the TAP's name */
  #taps = new Map<string, Held>();
  /** to be closed once no thread knows their numbers any more, which the kernel gives to the next file */
  readonly #letGo: OpenTap[] = [];
  #retry: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: DatapathOptions) {
    this.#options = options;
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
        ok: this.#underlay !== undefined,
        problem: this.#underlayProblem,
        gro: this.#underlay?.open.gro ?? false,
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
    if (this.#underlay !== undefined) closeUnderlay(this.#underlay.open);
    for (const { tap } of this.#taps.values()) if (tap !== undefined) closeTap(tap);
  }

  async #set(state: DatapathState): Promise<void> {
    clearTimeout(this.#retry);
    // What cannot be numbered changes nothing.
    const numbered = numberState(state, this.#book, ({ ip }) => this.#paths.mtuOf(ip));
    const old = this.#underlay;
    this.#openUnderlay(state);
    this.#openTaps(state.networks);
    // What a thread lets go of from here on, it may have been told a moment ago.
    const unwanted = this.#letGo.splice(0);
    await this.#applyToThreads(state, numbered);
    this.#state = state;
    this.#peers = numbered.peers;
    for (const tap of unwanted) closeTap(tap);
    if (old !== undefined && old.open !== this.#underlay?.open) closeUnderlay(old.open);
    const missing = this.#underlayProblem !== null || [...this.#taps.values()].some((held) => held.problem !== null);
    if (missing) this.#tryAgain();
  }

  #tryAgain(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#setAgain(), RETRY_MS);
  }

  /** A state without networks needs no socket, and leaves the port to the kernel's own vxlan. */
  #openUnderlay(state: DatapathState): void {
    const { vtep, networks } = state;
    const now = this.#underlay;
    const same = now !== undefined && serves(now, vtep);
    this.#underlay = same && networks.length > 0 ? { ...now, vtep } : undefined;
    if (networks.length === 0 || same) {
      this.#underlayProblem = null;
      if (same) this.#joinGroups(state);
      return;
    }
    try {
      this.#underlay = { vtep, open: openUnderlay(vtep), groups: new Set() };
      this.#underlayProblem = null;
      this.#joinGroups(state);
    } catch (error) {
      this.#underlay = undefined;
      this.#complain(messageOf(error));
    }
  }

  #joinGroups({ networks }: DatapathState): void {
    for (const { group } of networks) {
      if (group === null || this.#underlay === undefined || this.#underlay.groups.has(group)) continue;
      try {
        joinGroup(this.#underlay.open, this.#underlay.vtep, group);
        this.#underlay.groups.add(group);
      } catch (error) {
        this.#complain(
          `multicast group ${group}: ${messageOf(error)}; see that the underlay's interface is there and can multicast`,
        );
      }
    }
  }

  #complain(problem: string): void {
    if (problem !== this.#underlayProblem) this.#options.log.error(problem);
    this.#underlayProblem = problem;
  }

  #openTaps(networks: readonly DatapathNetwork[]): void {
    const wanted = new Set(networks.map((network) => network.tap));
    for (const [name, { tap }] of this.#taps) if (!wanted.has(name) && tap !== undefined) this.#letGo.push(tap);
    this.#taps = new Map([...wanted].map((name) => [name, this.#held(name)]));
  }

  #held(name: string): Held {
    const before = this.#taps.get(name);
    if (before?.tap !== undefined) return before;
    try {
      return { tap: attachTap(name), problem: null };
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== before?.problem) this.#options.log.warn(problem);
      return { tap: undefined, problem };
    }
  }

  async #applyToThreads(state: DatapathState, numbered: EngineState): Promise<void> {
    const { port } = state.vtep;
    if (this.#threads !== undefined && (this.#underlay === undefined || this.#threads.port !== port)) {
      await this.#threads.run.stop();
      this.#threads = undefined;
    }
    if (this.#underlay === undefined) return;
    this.#threads ??= { port, run: this.#startThreads(port) };
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

  #startThreads(port: number): DatapathThreads {
    const { workerFile: file, modules, workers, log } = this.#options;
    return new DatapathThreads({
      file,
      modules,
      workers,
      port,
      onTapGone: (vni) => this.#tapGone(vni),
      onTooBig: (peer) => this.#tooBig(peer),
      // Whoever supervises this process starts it anew; TAPs and their children stand meanwhile.
      onFailure: (error) => {
        log.error(`a thread of the datapath failed: ${error.stack ?? error.message}`);
        process.exit(1);
      },
    });
  }

  #tooBig(peer: number): void {
    const vtep = this.#peers[peer];
    if (vtep === undefined || this.#state === undefined || !this.#paths.look(vtep.ip, largestMtu(this.#state))) return;
    const mtu = this.#paths.mtuOf(vtep.ip);
    this.#options.log.warn(`the way to ${vtep.ip} passes packets of ${mtu} bytes inside, less than its networks' MTU`);
    this.#setAgain();
  }

  #lookAtPaths(): void {
    const ips = new Set(this.#peers.flatMap((vtep) => vtep?.ip ?? []));
    if (this.#state !== undefined && this.#paths.lookAgain(largestMtu(this.#state), ips)) this.#setAgain();
  }

  #setAgain(): void {
    if (this.#state === undefined) return;
    this.set(this.#state).catch((error: unknown) => this.#options.log.error(messageOf(error)));
  }

  #tapGone(vni: number): void {
    const name = this.#state?.networks.find((network) => network.vni === vni)?.tap;
    const held = name === undefined ? undefined : this.#taps.get(name);
    if (name === undefined || held?.tap === undefined || this.#state === undefined) return;
    const problem = `${name}: the interface went away or down; it is opened again as soon as it is there`;
    this.#options.log.warn(problem);
    this.#letGo.push(held.tap);
    this.#taps.set(name, { tap: undefined, problem });
    this.#tryAgain();
  }
}

function largestMtu({ networks }: DatapathState): number {
  return Math.max(0, ...networks.map(({ mtu }) => mtu));
}

/** Sockets bound to an address go on wherever it moves; a group stays on the interface on which it was joined. */
function serves({ vtep, groups }: HeldUnderlay, wanted: OwnVtep): boolean {
  const onIt = vtep.ifindex === wanted.ifindex || groups.size === 0;
  return vtep.ip === wanted.ip && vtep.port === wanted.port && onIt;
}
