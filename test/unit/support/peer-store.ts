import type { Alive, PeerRecord } from '../../../src/model/peer.ts';
import type { PeerStore } from '../../../src/peers/peer-store.ts';

/** What a directory keeps, in memory: for another directory, as after a restart. */
export class MemoryStore implements PeerStore {
  records = new Map<string, PeerRecord>();
  floors = new Map<string, { key: string; epoch: number; seq: number }>();
  alives = new Map<string, Alive>();
  loadRecords = (): PeerRecord[] => [...this.records.values()];
  saveRecord = (record: PeerRecord): void => void this.records.set(`${record.vni}/${record.gw}`, record);
  removeRecord = (v: number, gw: string): void => void this.records.delete(`${v}/${gw}`);
  loadFloors = (): { key: string; epoch: number; seq: number }[] => [...this.floors.values()];
  saveFloor = (key: string, epoch: number, seq: number): void => void this.floors.set(key, { key, epoch, seq });
  loadAlives = (): Alive[] => [...this.alives.values()];
  saveAlive = (alive: Alive): void => void this.alives.set(alive.gw, alive);
  removeAlive = (gw: string): void => void this.alives.delete(gw);
}
