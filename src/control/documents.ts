import { type ParseResult, parseDesired } from '../document/index.ts';
import { type DesiredState, NOTHING_DESIRED } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import type { ConfigStatus, EventSink } from '../model/status.ts';
import { patched } from './patch.ts';
import type { Fields } from './request-body.ts';

/** The documents that survive a power cut; the store satisfies it. */
export interface DocumentStore {
  accept(document: { version: number; hash: string; body: string }): void;
  markApplied(version: number): void;
  current(): { readonly version: number; readonly hash: string; readonly body: string } | undefined;
  lastKnownGood(): { readonly version: number; readonly hash: string; readonly body: string } | undefined;
}

export type DocumentsOptions = {
  readonly gateway: string;
  readonly store: DocumentStore;
  /** whether the stored documents were damaged, and an empty store is in their place */
  readonly damaged: boolean;
  /** names of the host's interfaces, or undefined before the first look */
  readonly interfaces: () => ReadonlySet<string> | undefined;
  readonly event: EventSink;
  /** a new document is stored and to be applied */
  readonly onAccepted: () => void;
  /** `status` changed: to be reported */
  readonly onStatus: () => void;
};

export type Submission =
  | { readonly accepted: true; readonly version: number }
  | { readonly accepted: false; readonly problems: readonly Problem[] };

/**
 * The gateway's documents, from wherever they come: accepted ones are on the disk before anybody hears of it; rejected
 * ones change nothing but the report.
 */
export class Documents {
  readonly #options: DocumentsOptions;
  #running: { readonly version: number; readonly hash: string; readonly state: DesiredState } | undefined;
  #status: ConfigStatus;
  #unreadable = false;

  constructor(options: DocumentsOptions) {
    this.#options = options;
    this.#running = this.#restore();
    this.#status = {
      applied_version: options.store.lastKnownGood()?.version ?? null,
      applied_hash: options.store.lastKnownGood()?.hash ?? null,
      state: this.#running === undefined ? 'none' : 'applying',
      lkg_version: options.store.lastKnownGood()?.version ?? null,
      errors: [],
    };
  }

  /** What the gateway shall be, by the newest accepted document. */
  get desired(): DesiredState {
    return this.#running?.state ?? NOTHING_DESIRED;
  }

  /** Whether there was a document and nobody knows any more what it said: then nothing that runs is unwanted. */
  get lost(): boolean {
    return this.#running === undefined && (this.#unreadable || this.#options.damaged);
  }

  get status(): ConfigStatus {
    return this.#status;
  }

  validate(bytes: Uint8Array): readonly Problem[] {
    const result = this.#parse(bytes);
    return result.ok ? this.#versionProblem(result.document) : result.problems;
  }

  /** Takes a document, or says what is wrong with it. The one that runs already is accepted again without effect. */
  submit(bytes: Uint8Array): Submission {
    const result = this.#parse(bytes);
    if (!result.ok) return this.#reject(result.problems, result.version);
    const { document } = result;
    const { version, hash, state, text } = document;
    if (version === this.#running?.version && hash === this.#running.hash) return this.#again(version);
    const stale = this.#versionProblem(document);
    if (stale.length > 0) return this.#reject(stale, version);
    this.#options.store.accept({ version, hash, body: text });
    this.#running = { version, hash, state };
    this.#report({ ...this.#status, state: 'applying', errors: [] });
    this.#options.event('config.received', 'info', `document version ${version} accepted`);
    this.#options.onAccepted();
    return { accepted: true, version };
  }

  /** Takes the running document, version `ifVersion`, with a merge patch to its `spec`, as the next version. */
  patch(ifVersion: number, patch: Fields): Submission {
    const running = this.#options.store.current();
    const version = this.#running?.version;
    if (running === undefined || version !== ifVersion)
      return { accepted: false, problems: [notRunning(ifVersion, version)] };
    return this.submit(patched(running.body, patch, version + 1));
  }

  /** The running document once more: no news, except after one that was rejected. */
  #again(version: number): Submission {
    if (this.#status.state === 'rejected') {
      this.#report({ ...this.#status, state: 'applying', errors: [] });
      this.#options.onAccepted();
    }
    return { accepted: true, version };
  }

  /** After a cycle: what waits or fails. The document is applied once nothing of it fails; waiting is not failing. */
  settled(problems: readonly Problem[]): void {
    if (this.#running === undefined) return;
    const { version, hash } = this.#running;
    const rejected = this.#status.state === 'rejected';
    const errors = rejected ? this.#status.errors : problems;
    if (problems.some((problem) => problem.code === 'failed')) {
      this.#report({ ...this.#status, state: rejected ? 'rejected' : 'applying', errors });
      return;
    }
    if (this.#status.lkg_version !== version) {
      this.#options.store.markApplied(version);
      this.#options.event('config.applied', 'info', `document version ${version} is applied`);
    }
    const state = rejected ? 'rejected' : 'applied';
    this.#report({ applied_version: version, applied_hash: hash, state, lkg_version: version, errors });
  }

  #parse(bytes: Uint8Array): ParseResult {
    const { gateway, interfaces } = this.#options;
    const result = parseDesired(bytes, { gateway, interfaces: interfaces() });
    if (result.ok || result.version === undefined || result.version !== this.#running?.version) return result;
    // A broker gives the running document again at each connection: an uplink that is gone by now does not make it wrong.
    const again = parseDesired(bytes, { gateway, interfaces: undefined });
    return again.ok && again.document.hash === this.#running.hash ? again : result;
  }

  #versionProblem(document: { version: number; hash: string }): readonly Problem[] {
    const running = this.#running;
    if (running === undefined || document.version > running.version) return [];
    const next = `give it version ${running.version + 1} or higher`;
    if (document.version < running.version) {
      const message = `version ${document.version} is older than ${running.version}, which runs; ${next}`;
      return [{ path: '/version', code: 'version_old', message }];
    }
    if (document.hash === running.hash) return [];
    const message = `version ${document.version} runs already with other contents; ${next}`;
    return [{ path: '/version', code: 'version_conflict', message }];
  }

  #reject(problems: readonly Problem[], version: number | undefined): Submission {
    const which = version === undefined ? 'a document' : `document version ${version}`;
    this.#options.event('config.rejected', 'warning', `${which} is rejected: ${problems[0]?.message ?? 'invalid'}`);
    this.#report({ ...this.#status, state: 'rejected', errors: problems });
    return { accepted: false, problems };
  }

  #report(status: ConfigStatus): void {
    if (JSON.stringify(status) === JSON.stringify(this.#status)) return;
    this.#status = status;
    this.#options.onStatus();
  }

  /** After a restart: the newest accepted document, or the last known good where this version cannot read that. */
  #restore(): { version: number; hash: string; state: DesiredState } | undefined {
    for (const stored of [this.#options.store.current(), this.#options.store.lastKnownGood()]) {
      if (stored === undefined) continue;
      const bytes = Buffer.from(stored.body);
      const result = parseDesired(bytes, { gateway: this.#options.gateway, interfaces: undefined });
      if (result.ok) return { version: stored.version, hash: stored.hash, state: result.document.state };
      this.#unreadable = true;
      const why = result.problems[0]?.message ?? 'invalid';
      this.#options.event('config.unreadable', 'error', `stored document ${stored.version} cannot be used: ${why}`);
    }
    return undefined;
  }
}

function notRunning(asked: number, version: number | undefined): Problem {
  const what =
    version === undefined
      ? 'no document runs yet; publish a whole one'
      : `version ${version} runs; look at it, and ask again with its number`;
  return { path: '', code: 'version_conflict', message: `the request is about version ${asked}, but ${what}` };
}
