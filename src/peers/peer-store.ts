import type { Alive, PeerRecord } from '../model/peer.ts';
import type { FloorStore } from './floors.ts';

/** What the directory keeps over a restart; a write that throws is the caller's to see. */
export interface PeerStore extends FloorStore {
  loadRecords(): readonly PeerRecord[];
  /** keeps the record in place of any other of the same VNI and gateway */
  saveRecord(record: PeerRecord): void;
  removeRecord(vni: number, gw: string): void;
  loadAlives(): readonly Alive[];
  /** keeps the newest manifest in place of the gateway's older one */
  saveAlive(alive: Alive): void;
  removeAlive(gw: string): void;
}
