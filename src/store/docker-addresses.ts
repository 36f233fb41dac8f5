import type { Database } from 'better-sqlite3';

/** An address that the IPAM plugin gave to Docker; `network` is the document's, `pool` the id that Docker holds. */
export type DockerAddressRow = { readonly network: string; readonly address: string; readonly pool: string };

export type DockerAddressRepository = {
  /** of all pools of the network; of all networks where none is named */
  list(network?: string): DockerAddressRow[];
  /** @throws SqliteError where somebody has the address already */
  put(row: DockerAddressRow): void;
  /** None is no error. */
  remove(pool: string, address: string): void;
  removePool(pool: string): void;
};

export function dockerAddressRepository(database: Database): DockerAddressRepository {
  const list = database.prepare<[string | null], DockerAddressRow>(
    'SELECT network, address, pool FROM docker_addresses WHERE network = ifnull(?, network) ORDER BY address',
  );
  const put = database.prepare<[DockerAddressRow]>(
    'INSERT INTO docker_addresses (network, address, pool) VALUES (@network, @address, @pool)',
  );
  const remove = database.prepare<[string, string]>('DELETE FROM docker_addresses WHERE pool = ? AND address = ?');
  const removePool = database.prepare<[string]>('DELETE FROM docker_addresses WHERE pool = ?');
  return {
    list: (network) => list.all(network ?? null),
    put: (row) => void put.run(row),
    remove: (pool, address) => void remove.run(pool, address),
    removePool: (pool) => void removePool.run(pool),
  };
}
