import type { Database } from 'better-sqlite3';
import type { DocumentSource } from '../model/status.ts';
import type { Problem } from '../model/problem.ts';
import type { Trial } from '../model/trial.ts';
import type { Clock } from '../service/clock.ts';
import { LinkspanError, raise } from '../service/errors.ts';

const KEPT = 20;

/**
 * `candidate`: accepted, not proven yet; `applied`: proven at some time; `rolled_back`: tried and taken back;
 * `superseded`: another took its place before it was proven.
 */
export type DocumentState = 'candidate' | 'applied' | 'rolled_back' | 'superseded';

/** A desired document as it came: `body` is its text, `hash` the digest its sender is told. */
export type CandidateDocument = {
  readonly version: number;
  readonly hash: string;
  readonly body: string;
  readonly source: DocumentSource;
};

/** Times in milliseconds since 1970; `problems` say why it was taken back. */
export type StoredDocument = Omit<CandidateDocument, 'source'> & {
  readonly source: DocumentSource | null;
  readonly state: DocumentState;
  readonly received_at: number;
  readonly settled_at: number | null;
  readonly problems: readonly Problem[];
};

export type DocumentRepository = {
  /**
   * Stores a document as candidate, which runs from now on, with its trial; on the disk when this returns. The same
   * document again changes nothing.
   * @throws LinkspanError `version_conflict` when the version is held with another hash
   */
  accept(document: CandidateDocument, trial?: Trial): void;
  /** Has a stored version run again. @throws LinkspanError `not_found` */
  runAgain(version: number, trial: Trial): void;
  /** Makes a stored version the last-known-good one, and ends its trial. @throws LinkspanError `not_found` */
  markApplied(version: number): void;
  /** Records why a stored document was taken back. @throws LinkspanError `not_found` */
  markRolledBack(version: number, problems: readonly Problem[]): void;
  /** Takes a stored document back: `to` runs again; null: nothing does. @throws LinkspanError `not_found` */
  goBack(version: number, problems: readonly Problem[], to: number | null): void;
  saveTrial(trial: Trial): void;
  trial(): Trial | undefined;
  /** The document that runs; undefined where none does, or it is not known. */
  running(): StoredDocument | undefined;
  /** The newest document accepted, whatever became of it. */
  current(): StoredDocument | undefined;
  /** The document applied last. */
  lastKnownGood(): StoredDocument | undefined;
  get(version: number): StoredDocument | undefined;
  /** Newest first. */
  history(limit: number): StoredDocument[];
};

type Row = Omit<StoredDocument, 'problems'> & { readonly problems: string };

const COLUMNS = 'version, hash, body, source, state, received_at, settled_at, problems';
const LAST_GOOD = 'SELECT max(applied_order) FROM documents';
const RUNNING = "SELECT value FROM meta WHERE key = 'running'";
/** What `running` holds where nothing runs any more: versions begin at 1. */
const NOTHING = 0;

export function documentRepository(database: Database, clock: Clock): DocumentRepository {
  const select = (rest: string): ((...values: readonly number[]) => StoredDocument[]) => {
    const statement = database.prepare<number[], Row>(`SELECT ${COLUMNS} FROM documents ${rest}`);
    return (...values) => statement.all(...values).map((row) => document(row));
  };
  const byVersion = select('WHERE version = ?');
  const newest = select('ORDER BY version DESC LIMIT ?');
  const good = select(`WHERE applied_order = (${LAST_GOOD})`);
  // A state file of an earlier version does not say what runs: it was the newest then.
  const running = select(
    `WHERE version = coalesce((${RUNNING}), (SELECT max(version) FROM documents WHERE state <> 'rolled_back'))`,
  );
  const insert = database.prepare<[number, string, string, string, number]>(
    `INSERT INTO documents (version, hash, body, source, state, received_at) VALUES (?, ?, ?, ?, 'candidate', ?)`,
  );
  const prune = database.prepare(
    `DELETE FROM documents WHERE version NOT IN (SELECT version FROM documents ORDER BY version DESC LIMIT ${KEPT})
     AND applied_order IS NOT (${LAST_GOOD}) AND version IS NOT (${RUNNING})
     AND version IS NOT (SELECT body ->> 'backTo' FROM trial)`,
  );
  const applied = database.prepare<[number, number]>(
    `UPDATE documents SET state = 'applied', problems = '[]', settled_at = ?,
       applied_order = coalesce((${LAST_GOOD}), 0) + 1
     WHERE version = ? AND (state <> 'applied' OR applied_order IS NOT (${LAST_GOOD}))`,
  );
  const rolledBack = database.prepare<[string, number, number]>(
    `UPDATE documents SET state = 'rolled_back', problems = ?, settled_at = ?, applied_order = NULL
     WHERE version = ? AND state <> 'rolled_back'`,
  );
  const run = database.prepare<[number]>(
    `INSERT INTO meta VALUES ('running', ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value
     WHERE value <> excluded.value`,
  );
  const supersede = database.prepare<[number, number]>(
    `UPDATE documents SET state = 'superseded', settled_at = ? WHERE state = 'candidate' AND version <> ?`,
  );
  const revive = database.prepare<[number]>(
    `UPDATE documents SET state = 'candidate', settled_at = NULL WHERE state = 'superseded' AND version = ?`,
  );
  const trial = trialStatements(database);
  const held = (version: number): number => byVersion(version)[0]?.version ?? raise(notFound(version));
  const start = (version: number, onTrial: Trial | undefined): void => {
    run.run(version);
    supersede.run(clock.now(), version);
    revive.run(version);
    if (onTrial) trial.save(onTrial);
    else trial.end();
  };
  const markRolledBack = (version: number, problems: readonly Problem[]): void =>
    void rolledBack.run(JSON.stringify(problems), clock.now(), held(version));
  return {
    accept: database.transaction(({ version, hash, body, source }: CandidateDocument, onTrial?: Trial) => {
      const [same] = byVersion(version);
      if (same && same.hash !== hash) throw conflict(version);
      if (same) return;
      insert.run(version, hash, body, source, clock.now());
      start(version, onTrial);
      prune.run();
    }),
    runAgain: database.transaction((version: number, onTrial: Trial) => start(held(version), onTrial)),
    markApplied: database.transaction((version: number) => {
      applied.run(clock.now(), held(version));
      trial.end();
    }),
    markRolledBack,
    goBack: database.transaction((version: number, problems: readonly Problem[], to: number | null) => {
      markRolledBack(version, problems);
      start(to ?? NOTHING, undefined);
    }),
    saveTrial: (onTrial) => trial.save(onTrial),
    trial: () => trial.load(),
    running: () => running()[0],
    current: () => newest(1)[0],
    lastKnownGood: () => good()[0],
    get: (version) => byVersion(version)[0],
    history: (limit) => newest(limit),
  };
}

type TrialStatements = { save(trial: Trial): void; end(): void; load(): Trial | undefined };

function trialStatements(database: Database): TrialStatements {
  const save = database.prepare<[string]>(
    `INSERT INTO trial VALUES (1, ?) ON CONFLICT (only) DO UPDATE SET body = excluded.body WHERE body <> excluded.body`,
  );
  const end = database.prepare('DELETE FROM trial WHERE only = 1');
  const load = database.prepare<[], string>('SELECT body FROM trial').pluck();
  return {
    save: (trial) => void save.run(JSON.stringify(trial)),
    end: () => void end.run(),
    load: () => {
      const body = load.get();
      return body === undefined ? undefined : (JSON.parse(body) as Trial);
    },
  };
}

function document({ problems, ...row }: Row): StoredDocument {
  return { ...row, problems: JSON.parse(problems) as readonly Problem[] };
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
