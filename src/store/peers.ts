import type { Database } from 'better-sqlite3';
import type { Alive, PeerRecord } from '../model/peer.ts';

/** The newest (epoch, seq) seen under a key: anything older is a replay. */
export type FloorRow = { readonly key: string; readonly epoch: number; readonly seq: number };

/** What peers last said, so that the overlay comes back after a restart with the broker down. */
export type PeerRepository = {
  loadRecords(): PeerRecord[];
  saveRecord(record: PeerRecord): void;
  /** None is no error. */
  removeRecord(vni: number, gw: string): void;
  loadFloors(): FloorRow[];
  saveFloor(key: string, epoch: number, seq: number): void;
  loadAlives(): Alive[];
  saveAlive(alive: Alive): void;
  /** None is no error. */
  removeAlive(gw: string): void;
};

export function peerRepository(database: Database): PeerRepository {
  return { ...recordRows(database), ...floorRows(database), ...aliveRows(database) };
}

function recordRows(database: Database): Pick<PeerRepository, 'loadRecords' | 'saveRecord' | 'removeRecord'> {
  const load = database.prepare<[], string>('SELECT body FROM peer_records ORDER BY vni, gw').pluck();
  const save = database.prepare<[number, string, string]>(
    `INSERT INTO peer_records (vni, gw, body) VALUES (?, ?, ?)
     ON CONFLICT (vni, gw) DO UPDATE SET body = excluded.body WHERE body <> excluded.body`,
  );
  const remove = database.prepare<[number, string]>('DELETE FROM peer_records WHERE vni = ? AND gw = ?');
  return {
    loadRecords: () => load.all().map((body) => JSON.parse(body) as PeerRecord),
    saveRecord: (record) => void save.run(record.vni, record.gw, JSON.stringify(record)),
    removeRecord: (vni, gw) => void remove.run(vni, gw),
  };
}

function floorRows(database: Database): Pick<PeerRepository, 'loadFloors' | 'saveFloor'> {
  const load = database.prepare<[], FloorRow>('SELECT key, epoch, seq FROM peer_floors ORDER BY key');
  const save = database.prepare<[string, number, number]>(
    `INSERT INTO peer_floors (key, epoch, seq) VALUES (?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq
     WHERE (epoch, seq) <> (excluded.epoch, excluded.seq)`,
  );
  return { loadFloors: () => load.all(), saveFloor: (key, epoch, seq) => void save.run(key, epoch, seq) };
}

function aliveRows(database: Database): Pick<PeerRepository, 'loadAlives' | 'saveAlive' | 'removeAlive'> {
  const load = database.prepare<[], string>('SELECT body FROM peer_alives ORDER BY gw').pluck();
  const save = database.prepare<[string, string]>(
    `INSERT INTO peer_alives (gw, body) VALUES (?, ?)
     ON CONFLICT (gw) DO UPDATE SET body = excluded.body WHERE body <> excluded.body`,
  );
  const remove = database.prepare<[string]>('DELETE FROM peer_alives WHERE gw = ?');
  return {
    loadAlives: () => load.all().map((body) => JSON.parse(body) as Alive),
    saveAlive: (alive) => void save.run(alive.gw, JSON.stringify(alive)),
    removeAlive: (gw) => void remove.run(gw),
  };
}
