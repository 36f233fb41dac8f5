import type { EventSink } from '../model/status.ts';
import { messageOf } from '../service/errors.ts';
import { isUnderWay, judged } from './decide.ts';
import { upIn, type Vitals } from './health.ts';
import { type Attempt, decodeVerdict, type Place, type Verdict } from './memory.ts';
import type { Notes, Updater } from './ports.ts';
import type { Record } from './record.ts';
import * as say from './words.ts';

export type ChangeoverOptions = {
  readonly running: Place;
  readonly updater: Updater;
  readonly notes: Notes;
  readonly record: Record;
  /** of this start of the machine */
  readonly boot: string;
  readonly vitals: () => Vitals;
  readonly event: EventSink;
  readonly onChange: () => void;
};

const VERDICT_MS = 2000;
/** So that whoever asked, and the broker, hear of it. */
const RESTART_MS = 1500;

/** The change to the other slot: asked for by one version, proven by the next, known by whichever is left. */
export class Changeover {
  readonly #options: ChangeoverOptions;
  #timer: NodeJS.Timeout | undefined;
  #target: string | undefined;

  constructor(options: ChangeoverOptions) {
    this.#options = options;
  }

  /** The version that the machine is about to be restarted into. */
  get target(): string | undefined {
    return this.#target;
  }

  /** What the running version has to prove; undefined: nothing. */
  get proving(): Attempt | undefined {
    const { attempt } = this.#options.record.memory;
    return attempt && isUnderWay(attempt) && attempt.to.slot === this.#options.running.slot ? attempt : undefined;
  }

  /** Finds out what became of the last change. */
  start(): void {
    const { record, running, boot, event } = this.#options;
    const before = record.memory.attempt;
    if (before === undefined) return;
    const attempt = this.#withReason(judged(before, running, boot));
    this.#note(attempt);
    if (attempt?.phase === 'rolled_back' && before.phase !== 'rolled_back')
      event('firmware.rolled_back', 'error', say.rolledBack(attempt).message);
    if (this.proving) {
      event('firmware.proving', 'info', `firmware ${running.version} runs and has to prove itself`);
      this.#timer = setInterval(() => this.#look(), VERDICT_MS).unref();
    } else if (attempt && isUnderWay(attempt)) this.#restartSoon(attempt.to.version);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Has the boot loader try the other slot, and restarts the machine. `url`: of the document that asked for it. */
  async begin(name: string, to: Place, url: string | null): Promise<void> {
    const { notes, record, running, boot, vitals, updater, event, onChange } = this.#options;
    const { broker, peers } = vitals();
    const before = record.memory.attempt;
    const attempt = { from: running, to, url, broker, peers: upIn(peers), boot, reason: null };
    this.#target = to.version;
    onChange();
    try {
      notes.clearVerdict();
      notes.keepState();
      record.attempt = { ...attempt, phase: 'activating' };
      await updater.activate(name);
      record.attempt = { ...attempt, phase: 'activated' };
    } catch (thrown) {
      this.#target = undefined;
      this.#note(before);
      throw thrown;
    }
    event('firmware.activating', 'warning', `restarting into firmware ${to.version}, slot ${to.slot}`);
    this.#restartSoon(to.version);
  }

  #restartSoon(version: string): void {
    const { updater, event } = this.#options;
    this.#target = version;
    const failed = (error: unknown): void =>
      event('firmware.failed', 'error', `the machine cannot be restarted: ${messageOf(error)}; restart it by hand`);
    this.#timer = setTimeout(() => void updater.restart().catch(failed), RESTART_MS);
  }

  /** Whether whoever judges the running version has said so. */
  #look(): void {
    const { event, running, onChange } = this.#options;
    const attempt = this.proving;
    const verdict = attempt && this.#verdictOn(attempt);
    if (attempt === undefined || verdict === undefined) return;
    if (verdict.good) {
      this.#note({ ...attempt, phase: 'committed' });
      event('firmware.committed', 'info', `firmware ${running.version} has proven itself and is kept`);
    } else this.#note({ ...attempt, reason: say.reasonOf(verdict) });
    clearInterval(this.#timer);
    onChange();
  }

  #verdictOn({ to }: Attempt): Verdict | undefined {
    const verdict = decodeVerdict(this.#options.notes.verdict());
    return verdict?.slot === to.slot ? verdict : undefined;
  }

  #withReason(attempt: Attempt | undefined): Attempt | undefined {
    if (attempt?.phase !== 'rolled_back' || attempt.reason !== null) return attempt;
    const verdict = this.#verdictOn(attempt);
    return verdict && !verdict.good ? { ...attempt, reason: say.reasonOf(verdict) } : attempt;
  }

  /** On a full disk what becomes of it is found out again at the next start. */
  #note(attempt: Attempt | undefined): void {
    const { record, event } = this.#options;
    try {
      record.attempt = attempt;
    } catch (error) {
      event('firmware.unsaved', 'error', say.unsaved(error));
    }
  }
}
