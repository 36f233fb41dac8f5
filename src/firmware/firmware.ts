import type { FirmwareError, FirmwareErrorCode, FirmwareStatus, FirmwareWish } from '../model/firmware.ts';
import type { Clock } from '../service/clock.ts';
import { Changeover, type ChangeoverOptions } from './changeover.ts';
import { activatable, decide, type Situation, triedBefore } from './decide.ts';
import { waitingFor } from './health.ts';
import { type Checked, Job, type Source } from './job.ts';
import type { Place } from './memory.ts';
import type { Downloads, Slots } from './ports.ts';
import { Record } from './record.ts';
import { resting, type Resting } from './resting.ts';
import { retryDelay } from './retry.ts';
import * as say from './words.ts';

export type FirmwareOptions = Omit<ChangeoverOptions, 'record'> & {
  readonly downloads: Downloads;
  readonly clock: Clock;
  /** whether a restart would take back nothing: no document is on trial */
  readonly calm: () => boolean;
};

/** What becomes of a bundle that somebody brings: nothing where that version is here already. */
export type Brought = {
  readonly outcome: 'running' | 'installed' | 'downloading' | 'installing';
  readonly version: string | null;
};

/** Brings the firmware that the document asks for into the other slot, and knows what became of the last one. */
export class Firmware {
  readonly #options: FirmwareOptions;
  readonly #record: Record;
  readonly #changeover: Changeover;
  #slots: Slots | undefined;
  #wish: FirmwareWish | undefined;
  #job: Job | undefined;
  /** how the last job ended, where that was no good end */
  #bad: Resting | undefined;
  #failures = 0;
  /** on the monotonic clock: not before it is tried again */
  #due = 0;
  #looking = false;
  #stopped = false;

  constructor(options: FirmwareOptions) {
    this.#options = options;
    this.#record = new Record(options.notes);
    this.#changeover = new Changeover({ ...options, record: this.#record });
  }

  get status(): FirmwareStatus {
    const { version, slot } = this.#options.running;
    const waiting = this.#changeover.proving ? this.waitingFor : [];
    return { version, slot, progress: this.#job?.progress ?? null, ...this.#told(), waiting_for: waiting };
  }

  /** What the running version has not shown yet; nothing: it is healthy. */
  get waitingFor(): readonly string[] {
    return waitingFor(this.#options.vitals(), this.#changeover.proving);
  }

  start(): void {
    this.#changeover.start();
  }

  stop(): void {
    this.#stopped = true;
    this.#changeover.stop();
    this.#job?.abort();
  }

  /** The document's wish, told again at each look at the host: what waits for its time is done then. */
  want(wish: FirmwareWish | undefined): void {
    const isNew = wish?.url !== this.#wish?.url || wish?.version !== this.#wish?.version;
    this.#wish = wish;
    if (isNew) this.#startAnew();
    this.#turn();
  }

  /** Takes a bundle that somebody brings; `again`: also one whose version was rolled back. @throws FirmwareFailure */
  async install(source: Source, again: boolean): Promise<Brought> {
    // The slot that would be written is the way back of the one that proves itself.
    const isTaken = this.#changeover.target !== undefined || this.#changeover.proving !== undefined;
    if (isTaken || this.#job?.state === 'installing') throw new say.FirmwareFailure(say.busy(this.status.state));
    this.#job?.abort();
    const job = this.#begin(source, undefined);
    if ('url' in source) {
      void this.#bring(job, async () => this.#unlessHere(await job.check(), again));
      return { outcome: 'downloading', version: null };
    }
    try {
      const checked = await job.check();
      const here = again ? undefined : this.#has(checked);
      void this.#bring(job, () => Promise.resolve(here ? undefined : checked));
      return { outcome: here ?? 'installing', version: checked.version };
    } catch (thrown) {
      this.#end(job, this.#failed(thrown, job));
      throw new say.FirmwareFailure(say.errorOf(thrown, 'install_failed'));
    }
  }

  /** Restarts into what is installed, `version` where it must be that one; returns it. @throws FirmwareFailure */
  async activate(version: string | undefined): Promise<string> {
    if (this.#job || this.#changeover.target !== undefined) throw new say.FirmwareFailure(say.busy(this.status.state));
    if (!this.#options.calm()) throw new say.FirmwareFailure(say.onTrial());
    const slots = await this.#look();
    if ('code' in slots) throw new say.FirmwareFailure(slots);
    const to = activatable(this.#situation());
    if (to === undefined) throw new say.FirmwareFailure(say.nothingInstalled());
    if (version !== undefined && version !== to.version)
      throw new say.FirmwareFailure(say.otherInstalled(version, to.version));
    await this.#activate(to, null);
    return to.version;
  }

  #told(): Resting {
    if (this.#job) return { state: this.#job.state, target_version: this.#job.target, error: null };
    const { target } = this.#changeover;
    if (target !== undefined) return { state: 'activating', target_version: target, error: null };
    return this.#bad ?? resting(this.#situation());
  }

  #situation(): Situation {
    const { running, calm } = this.#options;
    const { slot, version = null } = this.#slots?.other ?? {};
    const other = slot === undefined || version === null ? undefined : { slot, version };
    return { running, other, wish: this.#wish, memory: this.#record.memory, calm: calm() };
  }

  #startAnew(): void {
    if (this.#job?.state === 'downloading') this.#job.abort();
    this.#bad = undefined;
    this.#failures = 0;
    this.#due = 0;
  }

  /** Does what is to be done now, one thing at a time. */
  #turn(): void {
    if (this.#stopped || this.#job || this.#looking || this.#changeover.target !== undefined) return;
    if (this.#options.clock.monotonic() < this.#due) return;
    if (this.#slots === undefined) return void this.#look().then(() => this.#slots && this.#turn());
    const decision = decide(this.#situation());
    if (decision.kind === 'fetch') {
      const job = this.#begin(decision.wish, decision.wish);
      void this.#bring(job, () => job.check());
    } else if (decision.kind === 'refuse') {
      this.#bad = this.#refuse(decision.wish, decision.error);
      this.#options.onChange();
    }
    // what goes wrong is told
    else if (decision.kind === 'activate') this.#activate(decision.to, this.#wish?.url ?? null).catch(() => {});
  }

  /** Asks the updater what is in the slots, with nothing else begun meanwhile; gives what is wrong where it does not say. */
  async #look(): Promise<Slots | FirmwareError> {
    this.#looking = true;
    try {
      this.#slots = await this.#options.updater.slots();
      if (this.#bad?.error?.code === 'unavailable') this.#bad = undefined;
      return this.#slots;
    } catch (thrown) {
      const error = say.errorOf(thrown, 'unavailable');
      this.#unavailable(error);
      return error;
    } finally {
      this.#looking = false;
      this.#options.onChange();
    }
  }

  /** While nobody wants anything of it, as when a busy gateway starts, that is no news. */
  #unavailable(error: FirmwareError): void {
    if (this.#wish) this.#bad = this.#postponed(error, null);
    else this.#due = this.#options.clock.monotonic() + retryDelay(1, Math.random());
  }

  #begin(source: Source, wish: FirmwareWish | undefined): Job {
    const { updater, downloads, running, onChange } = this.#options;
    downloads.clear('url' in source ? source : undefined);
    this.#bad = undefined;
    this.#job = new Job({ updater, downloads, running, source, wish, onChange });
    onChange();
    return this.#job;
  }

  /** `check` gives nothing where there is nothing to do. */
  async #bring(job: Job, check: () => Promise<Checked | undefined>): Promise<void> {
    try {
      const checked = await check();
      if (checked && !job.aborted) await this.#install(job, checked);
      this.#end(job, undefined);
    } catch (thrown) {
      this.#end(job, this.#failed(thrown, job));
    }
    this.#turn();
  }

  async #install(job: Job, checked: Checked): Promise<void> {
    const { version } = checked;
    this.#slots = await job.install(checked);
    this.#failures = 0;
    // that it was rolled back counts no more
    const { attempt } = this.#record.memory;
    if (attempt && triedBefore(attempt, version)) this.#record.attempt = undefined;
    const message = `firmware ${version} is installed; it runs once it is activated: linkspan firmware activate`;
    this.#options.event('firmware.installed', 'info', message);
  }

  #unlessHere(checked: Checked, again: boolean): Checked | undefined {
    return again || this.#has(checked) === undefined ? checked : undefined;
  }

  /** Where that version is already. @throws FirmwareFailure where it was rolled back */
  #has({ version, slots }: Checked): 'running' | 'installed' | undefined {
    const { attempt } = this.#record.memory;
    this.#slots = slots;
    if (version === this.#options.running.version) return 'running';
    if (attempt && triedBefore(attempt, version)) throw new say.FirmwareFailure(say.triedBefore(attempt));
    return slots.other?.version === version ? 'installed' : undefined;
  }

  #end(job: Job, bad: Resting | undefined): undefined {
    if (this.#job !== job) return;
    this.#job = undefined;
    this.#bad = bad;
    this.#options.onChange();
  }

  #failed(thrown: unknown, { wish, target, state, aborted }: Job): Resting | undefined {
    if (aborted) return undefined;
    const otherwise: FirmwareErrorCode = state === 'downloading' ? 'download_failed' : 'install_failed';
    const error = say.errorOf(thrown, otherwise);
    // cut off, it is gone on with; else the next try begins with a whole new file
    if (state !== 'downloading' || say.isRefusal(error)) this.#options.downloads.clear();
    if (!say.isRefusal(error)) return this.#postponed(error, target);
    if (wish) return this.#refuse(wish, error);
    this.#options.event('firmware.refused', 'warning', error.message);
    return { state: 'refused', target_version: target, error };
  }

  /** Until the document wishes something else; on a full disk, or until the next start. */
  #refuse({ url, version }: FirmwareWish, error: FirmwareError): Resting {
    const { event } = this.#options;
    this.#due = Number.POSITIVE_INFINITY;
    event('firmware.refused', 'warning', error.message);
    try {
      this.#record.refused = { url, version, error };
    } catch (thrown) {
      event('firmware.unsaved', 'error', say.unsaved(thrown));
    }
    return { state: 'refused', target_version: version, error };
  }

  #postponed(error: FirmwareError, target: string | null): Resting {
    this.#failures += 1;
    this.#due = this.#options.clock.monotonic() + retryDelay(this.#failures, Math.random());
    // the first time, not at each try
    if (this.#failures === 1) this.#options.event('firmware.failed', 'warning', error.message);
    return { state: 'failed', target_version: target, error };
  }

  async #activate(to: Place, url: string | null): Promise<void> {
    try {
      await this.#changeover.begin(this.#slots?.other?.name ?? '', to, url);
    } catch (thrown) {
      const error = say.errorOf(thrown, 'activate_failed');
      this.#bad = this.#postponed(error, to.version);
      throw new say.FirmwareFailure(error);
    } finally {
      this.#options.onChange();
    }
  }
}
