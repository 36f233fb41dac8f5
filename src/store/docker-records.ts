import type { Database } from 'better-sqlite3';

/** Records of one kind by their id; their shape is their user's. */
export type RecordRepository<T extends { readonly id: string }> = {
  list(): T[];
  get(id: string): T | undefined;
  put(record: T): void;
  /** None is no error. */
  remove(id: string): void;
};

/** What Docker has told its plugin, which it tells once only; `table` is a literal of ours, never input. */
export function recordRepository<T extends { readonly id: string }>(
  database: Database,
  table: 'docker_networks' | 'docker_endpoints',
): RecordRepository<T> {
  const list = database.prepare<[], string>(`SELECT body FROM ${table} ORDER BY id`).pluck();
  const get = database.prepare<[string], string>(`SELECT body FROM ${table} WHERE id = ?`).pluck();
  const put = database.prepare<[string, string]>(
    `INSERT INTO ${table} (id, body) VALUES (?, ?)
     ON CONFLICT (id) DO UPDATE SET body = excluded.body WHERE body <> excluded.body`,
  );
  const remove = database.prepare<[string]>(`DELETE FROM ${table} WHERE id = ?`);
  return {
    list: () => list.all().map((body) => JSON.parse(body) as T),
    get: (id) => {
      const body = get.get(id);
      return body === undefined ? undefined : (JSON.parse(body) as T);
    },
    put: (record) => void put.run(record.id, JSON.stringify(record)),
    remove: (id) => void remove.run(id),
  };
}
