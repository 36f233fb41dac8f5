import type { Database } from 'better-sqlite3';
import type { DhcpLease } from '../model/dhcp.ts';

/** A lease of the plant's DHCP server, kept so that its address is asked for again after a restart or a power cut. */
export type DhcpLeaseRow = { readonly key: string; readonly lease: DhcpLease };

export type DhcpLeaseRepository = {
  list(): DhcpLeaseRow[];
  /** Adds or replaces the lease of that endpoint. */
  put(key: string, lease: DhcpLease): void;
  /** None is no error. */
  remove(key: string): void;
};

export function dhcpLeaseRepository(database: Database): DhcpLeaseRepository {
  const list = database.prepare<[], { key: string; body: string }>('SELECT key, body FROM dhcp_leases ORDER BY key');
  const put = database.prepare<[string, string]>(
    `INSERT INTO dhcp_leases (key, body) VALUES (?, ?)
     ON CONFLICT (key) DO UPDATE SET body = excluded.body WHERE body <> excluded.body`,
  );
  const remove = database.prepare<[string]>('DELETE FROM dhcp_leases WHERE key = ?');
  return {
    list: () => list.all().map(({ key, body }) => ({ key, lease: JSON.parse(body) as DhcpLease })),
    put: (key, lease) => void put.run(key, JSON.stringify(lease)),
    remove: (key) => void remove.run(key),
  };
}
