import { later, NEVER, type Stamp } from './order.ts';

/** What survives a restart of the floors. */
export interface FloorStore {
  loadFloors(): readonly { readonly key: string; readonly epoch: number; readonly seq: number }[];
  saveFloor(key: string, epoch: number, seq: number): void;
}

/** A broker that lies must not fill memory and disk with invented gateways. */
export const MAX_FLOORS = 20_000;

/** By topic, the newest that was ever taken there: whatever is not above it was published before, and is a replay. */
export class Floors {
  readonly #store: FloorStore;
  readonly #stamps = new Map<string, Stamp>();

  constructor(store: FloorStore) {
    this.#store = store;
    for (const { key, epoch, seq } of store.loadFloors()) this.#stamps.set(key, { epoch, seq });
  }

  of(key: string): Stamp {
    return this.#stamps.get(key) ?? NEVER;
  }

  /** Whether the topic has no floor and can be given none. */
  isFull(key: string): boolean {
    return !this.#stamps.has(key) && this.#stamps.size >= MAX_FLOORS;
  }

  raise(key: string, { epoch, seq }: Stamp): void {
    this.#stamps.set(key, { epoch, seq });
    this.#store.saveFloor(key, epoch, seq);
  }

  /** After a restart, for what is stored itself: it is written before its floor, so a power cut may leave that behind. */
  restore(key: string, stamp: Stamp): void {
    this.#stamps.set(key, later(stamp, this.of(key)));
  }
}
