import type { BootTime } from '../../model/dhcp.ts';
import type { Problem } from '../../model/problem.ts';
import type { Trial } from '../../model/trial.ts';
import { type Evidence, judge, secondsLeft, type Verdict } from './trial.ts';

/** What a document on trial can be seen to do; the gateway's other parts know. */
export interface Surroundings {
  /** now, by the machine's own time */
  now(): BootTime;
  broker(): { readonly connected: boolean; readonly own: boolean };
  /** A fresh connection to the broker's host: whether that answers, and as this host's own or not, as told. */
  reachBroker(own: boolean): Promise<boolean>;
  peers(): readonly { readonly gateway: string; readonly vnis: readonly number[]; readonly state: string }[];
  /** whether an uplink is still on its way to where the document wants it */
  uplinksMove(): boolean;
}

export type TrialRunOptions = {
  readonly trial: Trial;
  readonly surroundings: Surroundings;
  readonly save: (trial: Trial) => void;
  /** it waits for something else than before */
  readonly onProgress: () => void;
  /** only the confirmation is missing */
  readonly onProven: () => void;
  /** told last; again, where it throws */
  readonly onEnd: (verdict: Exclude<Verdict, { kind: 'wait' }>) => void;
  /** a look failed (a full disk, say), and the next one tries again; told once for all in a row */
  readonly onFailure: (error: unknown) => void;
};

const LOOK_MS = 1000;

/** A document on trial, looked at every second until it has proven itself, or its time is over. */
export class TrialRun {
  readonly #options: TrialRunOptions;
  readonly #timer: NodeJS.Timeout;
  #trial: Trial;
  #failing: readonly Problem[] | undefined;
  #broker: Evidence['broker'] = 'unasked';
  /** by the machine's own time; undefined: something fails */
  #stoodMs: number | undefined;
  /** counts what made earlier answers of the broker worthless */
  #stood = 0;
  #asking = false;
  /** gateways that fell silent and have not answered since; the broker's word alone makes them suspect a minute later */
  readonly #silent = new Set<string>();
  #waitsFor: readonly string[] = [];
  #ended = false;
  #failed = false;

  constructor(options: TrialRunOptions) {
    this.#options = options;
    this.#trial = options.trial;
    this.#timer = setInterval(() => this.#lookSafely(), LOOK_MS).unref();
  }

  get trial(): Trial {
    return this.#trial;
  }

  get waitsFor(): readonly string[] {
    return this.#waitsFor;
  }

  get secondsLeft(): number | null {
    return secondsLeft(this.#trial, this.#options.surroundings.now());
  }

  /** A whole cycle with the document ended, with these steps failing. */
  settled(failing: readonly Problem[]): void {
    // What was reached before the document stood as a whole proves nothing.
    if (failing.length === 0 && this.#failing?.length !== 0) this.#stands();
    else if (failing.length > 0) this.#stoodMs = undefined;
    this.#failing = failing;
    if (this.#trial.starts > 0) this.#save({ ...this.#trial, starts: 0 });
    this.look();
  }

  confirm(): void {
    this.#save({ ...this.#trial, confirmed: true });
    this.look();
  }

  stop(): void {
    this.#ended = true;
    clearInterval(this.#timer);
  }

  /** Judges by what is known now, and asks the broker where that is still open. */
  look(): void {
    if (this.#ended) return;
    const { onEnd, onProgress, onProven } = this.#options;
    const verdict = judge(this.#trial, this.#evidence());
    if (verdict.kind !== 'wait') {
      onEnd(verdict);
      this.stop();
      return;
    }
    const isNews = verdict.proven && !this.#trial.proven;
    if (isNews) this.#save({ ...this.#trial, proven: true });
    const before = this.#waitsFor.join();
    this.#waitsFor = verdict.waitsFor;
    if (this.#waitsFor.join() !== before) onProgress();
    if (isNews) onProven();
    if (this.#owesBroker()) void this.#askBroker();
  }

  #evidence(): Evidence {
    const { surroundings } = this.#options;
    const now = surroundings.now();
    return {
      now,
      failing: this.#failing,
      moving: surroundings.uplinksMove(),
      broker: this.#broker,
      stoodS: this.#stoodMs === undefined ? undefined : (now.ms - this.#stoodMs) / 1000,
      down: this.#lookAtPeers(),
    };
  }

  #lookAtPeers(): ReadonlySet<string> {
    for (const { gateway, state } of this.#options.surroundings.peers()) {
      if (state === 'down') this.#silent.add(gateway);
      if (state === 'up') this.#silent.delete(gateway);
    }
    return this.#silent;
  }

  #stands(): void {
    this.#stoodMs = this.#options.surroundings.now().ms;
    this.#broker = 'unasked';
    this.#stood += 1;
  }

  /** Steps that fail may be what it takes to reach the broker, or not. */
  #owesBroker(): boolean {
    const { owed, proven } = this.#trial;
    return owed.broker && !proven && this.#broker !== 'reached' && !this.#asking && this.#failing !== undefined;
  }

  async #askBroker(): Promise<void> {
    const { surroundings } = this.#options;
    // While an uplink moves, the old way may answer.
    if (surroundings.uplinksMove()) return;
    const stood = this.#stood;
    this.#asking = true;
    const reached = await surroundings.reachBroker(this.#trial.owed.ownBroker);
    this.#asking = false;
    if (stood === this.#stood && !surroundings.uplinksMove()) this.#broker = reached ? 'reached' : 'silent';
    if (this.#broker === 'reached') this.#lookSafely();
  }

  #lookSafely(): void {
    try {
      this.look();
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#options.onFailure(error);
      this.#failed = true;
    }
  }

  #save(trial: Trial): void {
    this.#trial = trial;
    this.#options.save(trial);
  }
}
