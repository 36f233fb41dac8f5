import type { Database } from 'better-sqlite3';

/** A request that changed something: the digest of its bytes, and what was answered; null: the service ended before that. */
export type RememberedChange = { readonly digest: string; readonly answer: string | null };

/** The last requests over the broker that changed something, so that none is carried out twice, a restart between or not. */
export type ChangeRepository = {
  find(id: string): RememberedChange | undefined;
  /** Remembers a request that is about to be carried out; of the oldest, all but `KEPT` are forgotten. */
  begin(id: string, digest: string): void;
  finish(id: string, answer: string): void;
};

const KEPT = 1000;

export function changeRepository(database: Database): ChangeRepository {
  const find = database.prepare<[string], RememberedChange>('SELECT digest, answer FROM rpc_changes WHERE id = ?');
  const insert = database.prepare<[string, string]>('INSERT OR REPLACE INTO rpc_changes (id, digest) VALUES (?, ?)');
  const forget = database.prepare<[number]>(
    'DELETE FROM rpc_changes WHERE nth <= (SELECT max(nth) FROM rpc_changes) - ?',
  );
  const finish = database.prepare<[string, string]>('UPDATE rpc_changes SET answer = ? WHERE id = ?');
  const begin = database.transaction((id: string, digest: string) => {
    insert.run(id, digest);
    forget.run(KEPT);
  });
  return {
    find: (id) => find.get(id),
    begin,
    finish: (id, answer) => void finish.run(answer, id),
  };
}
