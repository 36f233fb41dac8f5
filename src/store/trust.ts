import type { Database } from 'better-sqlite3';

/** The newest trust record of each gateway, by the fleet's key that signed it: what is not above it is a replay. */
export type TrustRepository = {
  load(fleetKey: string): { gw: string; body: string }[];
  save(fleetKey: string, gw: string, body: string): void;
};

export function trustRepository(database: Database): TrustRepository {
  const load = database.prepare<[string], { gw: string; body: string }>(
    'SELECT gw, body FROM trust_records WHERE fleet_key = ? ORDER BY gw',
  );
  const save = database.prepare<[string, string, string]>(
    `INSERT INTO trust_records (fleet_key, gw, body) VALUES (?, ?, ?)
     ON CONFLICT (fleet_key, gw) DO UPDATE SET body = excluded.body`,
  );
  return { load: (fleetKey) => load.all(fleetKey), save: (...row) => void save.run(...row) };
}
