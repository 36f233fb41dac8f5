import type { Alive, PeerRecord } from '../model/peer.ts';
import type { PeerStore } from './peer-store.ts';

export type BurstStoreOptions = {
  readonly store: PeerStore;
  /** runs the writes as one transaction: all or, when it throws, none */
  readonly transaction: (writes: () => void) => void;
  /** the disk took a burst again (undefined), or has come to take none */
  readonly onTrouble: (error: unknown) => void;
};

/** Some ten turns of the event loop at a start. */
const BURST_MS = 250;

/**
 * Writes what comes after a pause at once, and then together what comes within a quarter of a second. A flush to the disk
 * for each record and its floor took 20 ms a record, in which the gateway did nothing else: three seconds for the 156
 * records of a start. What a power cut takes with it is one burst at most, floors and records alike, and the broker gives
 * it again.
 */
export class BurstStore implements PeerStore {
  readonly #options: BurstStoreOptions;
  #burst: (() => void)[] = [];
  #failing = false;
  #flushed = Number.NEGATIVE_INFINITY;

  constructor(options: BurstStoreOptions) {
    this.#options = options;
  }

  loadRecords(): readonly PeerRecord[] {
    return this.#options.store.loadRecords();
  }

  saveRecord(record: PeerRecord): void {
    this.#later((store) => store.saveRecord(record));
  }

  removeRecord(vni: number, gw: string): void {
    this.#later((store) => store.removeRecord(vni, gw));
  }

  loadAlives(): readonly Alive[] {
    return this.#options.store.loadAlives();
  }

  saveAlive(alive: Alive): void {
    this.#later((store) => store.saveAlive(alive));
  }

  removeAlive(gw: string): void {
    this.#later((store) => store.removeAlive(gw));
  }

  loadFloors(): ReturnType<PeerStore['loadFloors']> {
    return this.#options.store.loadFloors();
  }

  saveFloor(key: string, epoch: number, seq: number): void {
    this.#later((store) => store.saveFloor(key, epoch, seq));
  }

  /** Writes now what waits. */
  flush(): void {
    const burst = this.#burst;
    this.#burst = [];
    if (burst.length === 0) return;
    this.#flushed = performance.now();
    const { transaction, onTrouble } = this.#options;
    try {
      transaction(() => {
        for (const write of burst) write();
      });
      if (this.#failing) onTrouble(undefined);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) onTrouble(error);
      this.#failing = true;
    }
  }

  #later(write: (store: PeerStore) => void): void {
    const wait = Math.max(0, this.#flushed + BURST_MS - performance.now());
    if (this.#burst.length === 0) setTimeout(() => this.flush(), wait).unref();
    this.#burst.push(() => write(this.#options.store));
  }
}
