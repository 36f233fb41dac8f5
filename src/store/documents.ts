import type { Database } from 'better-sqlite3';
import type { Clock } from '../service/clock.ts';
import { LinkspanError, raise } from '../service/errors.ts';

const KEPT = 20;

/** `candidate`: accepted, not proven yet; `applied`: proven at some time; `rolled_back`: tried and taken back. */
export type DocumentState = 'candidate' | 'applied' | 'rolled_back';

/** A desired document as it came: `body` is its text, `hash` the digest its sender is told. */
export type CandidateDocument = { readonly version: number; readonly hash: string; readonly body: string };

/** `received_at` in milliseconds since 1970. */
export type StoredDocument = CandidateDocument & { readonly state: DocumentState; readonly received_at: number };

export type DocumentRepository = {
  /**
   * Stores a document as candidate; on the disk when this returns. The same document again changes nothing.
   * @throws LinkspanError `version_conflict` when the version is held with another hash
   */
  accept(document: CandidateDocument): void;
  /** Makes a stored version the last-known-good one. @throws LinkspanError `not_found` */
  markApplied(version: number): void;
  /** Records that a stored candidate was tried and taken back. @throws LinkspanError `not_found` */
  markRolledBack(version: number): void;
  /** The newest document accepted, whatever became of it. */
  current(): StoredDocument | undefined;
  /** The document applied last. */
  lastKnownGood(): StoredDocument | undefined;
  get(version: number): StoredDocument | undefined;
  /** Newest first. */
  history(limit: number): StoredDocument[];
};

const COLUMNS = 'version, hash, body, state, received_at';
const LAST_GOOD = 'SELECT max(applied_order) FROM documents';

export function documentRepository(database: Database, clock: Clock): DocumentRepository {
  const byVersion = database.prepare<[number], StoredDocument>(`SELECT ${COLUMNS} FROM documents WHERE version = ?`);
  const newest = database.prepare<[number], StoredDocument>(
    `SELECT ${COLUMNS} FROM documents ORDER BY version DESC LIMIT ?`,
  );
  const good = database.prepare<[], StoredDocument>(
    `SELECT ${COLUMNS} FROM documents WHERE applied_order = (${LAST_GOOD})`,
  );
  const insert = database.prepare(
    "INSERT INTO documents (version, hash, body, state, received_at) VALUES (?, ?, ?, 'candidate', ?)",
  );
  const prune = database.prepare(
    `DELETE FROM documents WHERE version NOT IN (SELECT version FROM documents ORDER BY version DESC LIMIT ${KEPT})
     AND applied_order IS NOT (${LAST_GOOD})`,
  );
  const applied = database.prepare<[number]>(
    `UPDATE documents SET state = 'applied', applied_order = coalesce((${LAST_GOOD}), 0) + 1
     WHERE version = ? AND (state <> 'applied' OR applied_order IS NOT (${LAST_GOOD}))`,
  );
  const rolledBack = database.prepare<[number]>(
    "UPDATE documents SET state = 'rolled_back', applied_order = NULL WHERE version = ? AND state <> 'rolled_back'",
  );
  const held = (version: number): StoredDocument => byVersion.get(version) ?? raise(notFound(version));
  return {
    accept: database.transaction(({ version, hash, body }: CandidateDocument) => {
      const same = byVersion.get(version);
      if (same && same.hash !== hash) throw conflict(version);
      if (same) return;
      insert.run(version, hash, body, clock.now());
      prune.run();
    }),
    markApplied: (version) => void applied.run(held(version).version),
    markRolledBack: (version) => void rolledBack.run(held(version).version),
    current: () => newest.get(1),
    lastKnownGood: () => good.get(),
    get: (version) => byVersion.get(version),
    history: (limit) => newest.all(limit),
  };
}

function notFound(version: number): LinkspanError {
  return new LinkspanError({
    code: 'not_found',
    object: `document version ${version}`,
    reason: `not among the ${KEPT} documents kept`,
    remedy: 'choose a version that `linkspan history` shows',
  });
}

function conflict(version: number): LinkspanError {
  return new LinkspanError({
    code: 'version_conflict',
    object: `document version ${version}`,
    reason: 'the same version is stored with another content',
    remedy: 'publish the change under a higher version',
  });
}
