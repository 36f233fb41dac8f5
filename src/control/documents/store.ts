import type { Problem } from '../../model/problem.ts';
import type { DocumentRecord, DocumentSource } from '../../model/status.ts';
import type { Trial } from '../../model/trial.ts';

/** A document that is kept. */
export type KeptDocument = {
  readonly version: number;
  readonly hash: string;
  readonly body: string;
  readonly source: DocumentSource | null;
  readonly state: DocumentRecord['state'];
  /** milliseconds since 1970 */
  readonly received_at: number;
  readonly settled_at: number | null;
  readonly problems: readonly Problem[];
};

type Accepted = Pick<KeptDocument, 'version' | 'hash' | 'body'> & { readonly source: DocumentSource };

/** The documents that survive a power cut; the store satisfies it. */
export interface DocumentStore {
  accept(document: Accepted, trial?: Trial): void;
  runAgain(version: number, trial: Trial): void;
  markApplied(version: number): void;
  markRolledBack(version: number, problems: readonly Problem[]): void;
  goBack(version: number, problems: readonly Problem[], to: number | null): void;
  saveTrial(trial: Trial): void;
  trial(): Trial | undefined;
  running(): KeptDocument | undefined;
  current(): KeptDocument | undefined;
  lastKnownGood(): KeptDocument | undefined;
  get(version: number): KeptDocument | undefined;
  history(limit: number): readonly KeptDocument[];
}

/** More than are kept. */
export const KEPT_MAX = 100;

/** What is kept, newest first. */
export function documentRecords(store: DocumentStore, running: number | undefined): readonly DocumentRecord[] {
  return store.history(KEPT_MAX).map(({ version, hash, state, source, received_at, settled_at, problems }) => ({
    version,
    hash,
    state,
    running: version === running,
    source,
    received: new Date(received_at).toISOString(),
    settled: settled_at === null ? null : new Date(settled_at).toISOString(),
    errors: problems,
  }));
}
