import type { Database } from 'better-sqlite3';

/** Records of one kind by their id; their shape is their user's. */
export type RecordRepository<T extends { readonly id: string }> = {
  list(): T[];
  get(id: string): T | undefined;
  put(record: T): void;
  /** None is no error. */
  remove(id: string): void;
};

/**
 * What Docker has told its plugin, which it tells once only. Read once: nobody else writes, and each of Docker's calls
 * asks for several. `table` is a literal of ours, never input.
 */
export function recordRepository<T extends { readonly id: string }>(
  database: Database,
  table: 'docker_networks' | 'docker_endpoints',
): RecordRepository<T> {
  const bodies = database.prepare<[], string>(`SELECT body FROM ${table}`).pluck().all();
  const records = new Map(bodies.map((body) => JSON.parse(body) as T).map((record) => [record.id, record]));
  const put = database.prepare<[string, string]>(
    `INSERT INTO ${table} (id, body) VALUES (?, ?)
     ON CONFLICT (id) DO UPDATE SET body = excluded.body WHERE body <> excluded.body`,
  );
  const remove = database.prepare<[string]>(`DELETE FROM ${table} WHERE id = ?`);
  return {
    list: () => [...records.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    get: (id) => records.get(id),
    put: (record) => {
      const body = JSON.stringify(record);
      put.run(record.id, body);
      records.set(record.id, JSON.parse(body) as T);
    },
    remove: (id) => {
      remove.run(id);
      records.delete(id);
    },
  };
}
