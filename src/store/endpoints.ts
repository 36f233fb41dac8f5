import type { Database } from 'better-sqlite3';

/** An interface that is in its sandbox now; `sandbox` is the path of the network namespace. */
export type EndpointRow = {
  readonly workload: string;
  readonly network: string;
  readonly sandbox: string;
  readonly interface: string;
  readonly mac: string;
};

/** What is attached, kept so that a restarted service can find and remove it after it is no longer wanted. */
export type EndpointRepository = {
  list(): EndpointRow[];
  put(endpoint: EndpointRow): void;
  /** None is no error. */
  remove(workload: string, network: string): void;
};

export function endpointRepository(database: Database): EndpointRepository {
  const list = database.prepare<[], EndpointRow>(
    'SELECT workload, network, sandbox, interface, mac FROM endpoints ORDER BY workload, network',
  );
  const put = database.prepare<[EndpointRow]>(
    `INSERT INTO endpoints (workload, network, sandbox, interface, mac)
     VALUES (@workload, @network, @sandbox, @interface, @mac)
     ON CONFLICT (workload, network) DO UPDATE
     SET sandbox = excluded.sandbox, interface = excluded.interface, mac = excluded.mac
     WHERE (sandbox, interface, mac) <> (excluded.sandbox, excluded.interface, excluded.mac)`,
  );
  const remove = database.prepare<[string, string]>('DELETE FROM endpoints WHERE workload = ? AND network = ?');
  return {
    list: () => list.all(),
    put: (endpoint) => void put.run(endpoint),
    remove: (workload, network) => void remove.run(workload, network),
  };
}
