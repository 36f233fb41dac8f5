import type { Database } from 'better-sqlite3';
import type { Endpoint } from '../model/network.ts';

/** Endpoints wanted by the command line or a plugin, beside those of the desired document. */
export type AttachmentRepository = {
  list(): Endpoint[];
  /** Adds or replaces the attachment of that workload to that network. */
  put(endpoint: Endpoint): void;
  /** None is no error. */
  remove(workload: string, network: string): void;
};

export function attachmentRepository(database: Database): AttachmentRepository {
  const list = database.prepare<[], string>('SELECT body FROM attachments ORDER BY workload, network').pluck();
  const put = database.prepare<[string, string, string]>(
    `INSERT INTO attachments (workload, network, body) VALUES (?, ?, ?)
     ON CONFLICT (workload, network) DO UPDATE SET body = excluded.body WHERE body <> excluded.body`,
  );
  const remove = database.prepare<[string, string]>('DELETE FROM attachments WHERE workload = ? AND network = ?');
  return {
    list: () => list.all().map((body) => JSON.parse(body) as Endpoint),
    put: (endpoint) => void put.run(endpoint.workload, endpoint.network, JSON.stringify(endpoint)),
    remove: (workload, network) => void remove.run(workload, network),
  };
}
