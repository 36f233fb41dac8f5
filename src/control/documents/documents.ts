import { documentChanges, type ParsedDocument } from '../../document/index.ts';
import { type DesiredState, NOTHING_DESIRED } from '../../model/network.ts';
import type { Problem } from '../../model/problem.ts';
import type { ConfigStatus, DocumentRecord, DocumentSource } from '../../model/status.ts';
import type { Trial } from '../../model/trial.ts';
import type { Comparison, Decision, Submission } from './answers.ts';
import { configStatus, type Told } from './config-status.ts';
import * as say from './problems.ts';
import { DocumentReader, type ReaderOptions, type Running } from './reader.ts';
import { documentRecords, type KeptDocument } from './store.ts';
import { patched } from './patch.ts';
import type { Fields } from '../request/request-body.ts';
import { resumed, type Verdict } from './trial.ts';
import { type Before, newTrial, revertTrial } from './trial-begin.ts';
import { type Surroundings, TrialRun } from './trial-run.ts';

export type DocumentsOptions = ReaderOptions & {
  /** whether the stored documents were damaged, and an empty store is in their place */
  readonly damaged: boolean;
  readonly surroundings: Surroundings;
  /** another document is stored and to be applied */
  readonly onAccepted: () => void;
  /** `status` changed: to be reported */
  readonly onStatus: () => void;
  /** the document from before stands again, after one that was taken back */
  readonly onBack: () => void;
};

/**
 * The gateway's documents, from wherever they come: accepted ones are on the disk before anybody hears of it; rejected
 * ones change nothing but the report; one that could cut the gateway off is on trial before it is the last known good.
 */
export class Documents {
  readonly #options: DocumentsOptions;
  readonly #reader: DocumentReader;
  #running: Running | undefined;
  /** the last known good */
  #good: KeptDocument | undefined;
  #trial: TrialRun | undefined;
  #told: Told | undefined;
  /** what fails or waits, since the last whole cycle; undefined: there was none with this document */
  #problems: readonly Problem[] | undefined;
  #lost = false;
  /** went back from a document with which the broker was perhaps not reached */
  #wayLost = false;
  #unsaved = false;
  #reported = '';

  constructor(options: DocumentsOptions) {
    this.#options = options;
    this.#reader = new DocumentReader(options);
    this.#resume(options.store.trial());
    this.#good = options.store.lastKnownGood();
    const { running, isUnreadable } = this.#reader.restore();
    this.#running = running;
    this.#lost = running === undefined && (isUnreadable || options.damaged);
    this.#told = this.#toldBefore();
    this.#reported = JSON.stringify(this.#fixedStatus());
  }

  /** What the gateway shall be. */
  get desired(): DesiredState {
    return this.#running?.state ?? NOTHING_DESIRED;
  }

  /** Whether there was a document and nobody knows any more what it said: then nothing that runs is unwanted. */
  get lost(): boolean {
    return this.#lost;
  }

  get status(): ConfigStatus {
    const { candidate, ...status } = this.#fixedStatus();
    return { ...status, candidate: candidate && { ...candidate, seconds_left: this.#trial?.secondsLeft ?? null } };
  }

  get history(): readonly DocumentRecord[] {
    return documentRecords(this.#options.store, this.#running?.version);
  }

  validate(bytes: Uint8Array): readonly Problem[] {
    const result = this.#reader.parse(bytes, this.#running);
    return result.ok ? this.#versionProblem(result.document) : result.problems;
  }

  /** What a document would change of the running one, and whether it would be on trial. */
  compare(bytes: Uint8Array): Comparison {
    const result = this.#reader.parse(bytes, this.#running);
    if (!result.ok) return { ok: false, problems: result.problems };
    const { store } = this.#options;
    const stored = store.running();
    const running = stored && this.#reader.read(stored.body);
    return {
      ok: true,
      running: this.#running?.version ?? null,
      on_trial: newTrial(result.document, this.#before()) !== undefined,
      changes: documentChanges(running?.ok ? running.document : undefined, result.document),
    };
  }

  /** Takes a document, or says what is wrong with it. The one that runs already is accepted again without effect. */
  submit(bytes: Uint8Array, source: DocumentSource): Submission {
    const result = this.#reader.parse(bytes, this.#running);
    if (!result.ok) return this.#reject(result.problems, result.version);
    const { document } = result;
    const { version, hash } = document;
    if (version === this.#running?.version && hash === this.#running.hash) return this.#again(version);
    const problems = this.#versionProblem(document);
    // The broker gives its retained document at each connection: what became of that has been told.
    if (source === 'mqtt' && problems.length > 0 && this.#options.store.get(version)?.hash === hash)
      return { accepted: false, problems };
    if (problems.some(({ code }) => code === 'rolled_back')) return { accepted: false, problems };
    if (problems.length > 0) return this.#reject(problems, version);
    this.#accept(document, source);
    return { accepted: true, version };
  }

  /** Takes the running document, version `ifVersion`, with a merge patch to its `spec`, as the next version. */
  patch(ifVersion: number, patch: Fields): Submission {
    const { store } = this.#options;
    const running = store.running();
    const version = this.#running?.version;
    if (running === undefined || version !== ifVersion)
      return { accepted: false, problems: [say.notRunning(ifVersion, version)] };
    return this.submit(patched(running.body, patch, (store.current()?.version ?? version) + 1), 'rpc');
  }

  /** The operator's word that the document on trial is good. One that is applied already is confirmed again. */
  confirm(version?: number): Decision {
    // One whose time has just ended is confirmed no more.
    this.#trial?.look();
    const waiting = this.#trial?.trial.confirmS == null ? undefined : this.#trial;
    const candidate = waiting?.trial.version;
    if (waiting && (version === undefined || version === candidate)) {
      waiting.confirm();
      this.#report();
      return this.#decided(candidate ?? null);
    }
    if (version !== undefined && version === this.#good?.version) return this.#decided(version);
    return say.nothingToConfirm(version, candidate);
  }

  /** `rollback`, where version `ifVersion` runs. */
  rollbackFrom(ifVersion: number, version: number | undefined): Decision {
    const running = this.#running?.version;
    if (running === ifVersion) return this.rollback(version);
    return { ok: false, reason: 'refused', problem: say.notRunning(ifVersion, running) };
  }

  /**
   * Goes back to an applied version: to what ran before where a document is on trial, else by default to the last one
   * applied before the running one.
   */
  rollback(version?: number): Decision {
    const trial = this.#trial?.trial;
    if (trial && (version === undefined || version === trial.backTo)) {
      this.#goBack(trial, [say.takenBackOnRequest(trial.version, trial.backTo)]);
      return this.#decided(trial.backTo);
    }
    if (version !== undefined && version === this.#running?.version) return this.#decided(version);
    const target = this.#reader.applied(version, this.#running?.version);
    if ('ok' in target) return target;
    if (trial) this.#goBack(trial, [say.takenBackOnRequest(trial.version, target.version)]);
    this.#revert(target);
    return this.#decided(target.version);
  }

  /** After a whole cycle with the running document: what waits or fails. Waiting is not failing. */
  settled(problems: readonly Problem[]): void {
    if (this.#running === undefined) return;
    const excused = this.#trial?.trial.owed.excused ?? [];
    const failing = problems.filter(({ code, message }) => code === 'failed' && !excused.includes(message));
    const wayLost = this.#wayLost;
    this.#problems = problems;
    this.#judge(this.#running.version, failing);
    this.#report();
    if (!wayLost) return;
    this.#wayLost = false;
    this.#options.onBack();
  }

  stop(): void {
    this.#trial?.stop();
  }

  /** What a full disk keeps from being written is told once; the peers, who are told after this, wait for no disk. */
  #judge(version: number, failing: readonly Problem[]): void {
    try {
      if (this.#trial) this.#trial.settled(failing);
      else if (failing.length === 0) this.#commit(version);
      this.#unsaved = false;
    } catch (error) {
      if (!this.#unsaved) this.#options.event('config.unsaved', 'error', say.unsaved(version, error));
      this.#unsaved = true;
    }
  }

  #accept(document: ParsedDocument, source: DocumentSource): void {
    const { version, hash, state, text } = document;
    const { store, event } = this.#options;
    const trial = newTrial(document, this.#before());
    store.accept({ version, hash, body: text, source }, trial);
    this.#lost = false;
    this.#run({ version, hash, state }, trial);
    this.#report();
    event('config.received', 'info', `document version ${version} accepted${trial ? '; it has to prove itself' : ''}`);
    this.#options.onAccepted();
  }

  #revert({ version, hash, state }: ParsedDocument): void {
    const { store, event } = this.#options;
    const trial = revertTrial({ version, state }, this.#before());
    store.runAgain(version, trial);
    event('config.reverted', 'warning', `going back to document version ${version} on request`);
    this.#run({ version, hash, state }, trial);
    this.#report();
    this.#options.onAccepted();
  }

  #run(running: Running | undefined, trial: Trial | undefined): void {
    this.#trial?.stop();
    this.#running = running;
    this.#problems = undefined;
    this.#told = undefined;
    this.#wayLost = false;
    this.#trial = trial && this.#start(trial);
  }

  #start(trial: Trial): TrialRun {
    const { store, surroundings } = this.#options;
    return new TrialRun({
      trial,
      surroundings,
      save: (saved) => store.saveTrial(saved),
      onProgress: () => this.#report(),
      onProven: () => this.#options.event('config.confirming', 'warning', say.waitsForWord(trial)),
      onEnd: (verdict) => this.#ended(trial, verdict),
      onFailure: (error) => this.#options.event('config.unsaved', 'error', say.unsaved(trial.version, error)),
    });
  }

  #ended(trial: Trial, verdict: Exclude<Verdict, { kind: 'wait' }>): void {
    if (verdict.kind === 'back') {
      this.#goBack(trial, verdict.problems);
      return;
    }
    this.#commit(trial.version);
    this.#trial?.stop();
    this.#trial = undefined;
    if (trial.reverts && trial.backTo !== null) {
      const errors = [say.takenBackOnRequest(trial.backTo, trial.version)];
      this.#options.store.markRolledBack(trial.backTo, errors);
      this.#told = { state: 'rolled_back', errors };
    }
    this.#report();
  }

  #commit(version: number): void {
    const { store, event } = this.#options;
    const isNews = this.#good?.version !== version;
    store.markApplied(version);
    this.#good = store.lastKnownGood();
    if (isNews) event('config.applied', 'info', `document version ${version} is applied`);
  }

  #goBack({ version, backTo }: Trial, errors: readonly Problem[]): void {
    const { store, event, onAccepted } = this.#options;
    const proven = this.#trial?.trial.proven ?? false;
    store.goBack(version, errors, backTo);
    this.#good = store.lastKnownGood();
    const { running, isUnreadable } = this.#reader.restore();
    this.#run(running, undefined);
    this.#lost = running === undefined && isUnreadable;
    this.#told = { state: 'rolled_back', errors };
    this.#wayLost = !proven;
    event('config.rolled_back', 'error', errors.map(({ message }) => message).join('; '));
    this.#report();
    onAccepted();
  }

  /** The running document once more: no news, except after one that was rejected or taken back. */
  #again(version: number): Submission {
    if (this.#told !== undefined) {
      this.#told = undefined;
      this.#problems = undefined;
      this.#report();
      this.#options.onAccepted();
    }
    return { accepted: true, version };
  }

  #reject(problems: readonly Problem[], version: number | undefined): Submission {
    const which = version === undefined ? 'a document' : `document version ${version}`;
    this.#options.event('config.rejected', 'warning', `${which} is rejected: ${problems[0]?.message ?? 'invalid'}`);
    this.#told = { state: 'rejected', errors: problems };
    this.#report();
    return { accepted: false, problems };
  }

  #decided(version: number | null): Decision {
    return { ok: true, version, state: this.status.state };
  }

  #versionProblem(document: { version: number; hash: string }): readonly Problem[] {
    return say.versionProblem(document, this.#running, this.#options.store.current());
  }

  #fixedStatus(): ConfigStatus {
    return configStatus({
      good: this.#good,
      running: this.#running,
      trial: this.#trial,
      told: this.#told,
      problems: this.#problems,
    });
  }

  #report(): void {
    const status = JSON.stringify(this.#fixedStatus());
    if (status === this.#reported) return;
    this.#reported = status;
    this.#options.onStatus();
  }

  /** What a document about to be applied is measured by. */
  #before(): Before {
    const { surroundings } = this.#options;
    const proven = this.#good && this.#reader.read(this.#good.body);
    const known = proven?.ok ? proven.document.state : undefined;
    const failing = this.#problems?.filter(({ code }) => code === 'failed');
    return { surroundings, open: this.#trial?.trial, running: this.#running, proven: known, failing };
  }

  /** A trial that an earlier run left behind goes on, or ends before anything of it is done. */
  #resume(trial: Trial | undefined): void {
    if (trial === undefined) return;
    const { store, event, surroundings } = this.#options;
    const going = this.#reader.whyNot(trial.version) ?? resumed(trial, surroundings.now());
    try {
      if ('version' in going) store.saveTrial(going);
      else store.goBack(trial.version, going, trial.backTo);
    } catch (error) {
      event('config.unsaved', 'error', say.unsaved(trial.version, error));
      // it goes on; one that is over has its time anew, and ends when the disk takes that
      this.#trial = this.#start('version' in going ? going : { ...trial, started: surroundings.now() });
      return;
    }
    if ('version' in going) this.#trial = this.#start(going);
    else event('config.rolled_back', 'error', going.map(({ message }) => message).join('; '));
  }

  /** That the newest document was taken back is still so after a restart. */
  #toldBefore(): Told | undefined {
    const newest = this.#options.store.current();
    if (newest?.state !== 'rolled_back' || newest.version === this.#running?.version) return undefined;
    return { state: 'rolled_back', errors: newest.problems };
  }
}
