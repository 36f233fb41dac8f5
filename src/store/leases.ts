import type { Database } from 'better-sqlite3';

/** An address that Linkspan picked for a workload, kept so that it is the same after a restart. */
export type LeaseRow = {
  readonly workload: string;
  readonly network: string;
  readonly family: 4 | 6;
  readonly address: string;
};

export type LeaseRepository = {
  list(): LeaseRow[];
  /** Adds or replaces the workload's lease of that family. Throws when another workload of the network has the address. */
  put(lease: LeaseRow): void;
  /** Gives back the workload's lease of that family; none is no error. */
  remove(lease: LeaseRow): void;
};

export function leaseRepository(database: Database): LeaseRepository {
  const list = database.prepare<[], LeaseRow>(
    'SELECT workload, network, family, address FROM leases ORDER BY network, workload, family',
  );
  const put = database.prepare<[LeaseRow]>(
    `INSERT INTO leases (workload, network, family, address) VALUES (@workload, @network, @family, @address)
     ON CONFLICT (network, workload, family) DO UPDATE SET address = excluded.address
     WHERE address <> excluded.address`,
  );
  const remove = database.prepare<[LeaseRow]>(
    'DELETE FROM leases WHERE workload = @workload AND network = @network AND family = @family',
  );
  return {
    list: () => list.all(),
    put: (lease) => void put.run(lease),
    remove: (lease) => void remove.run(lease),
  };
}
