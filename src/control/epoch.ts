import type { EventSink } from '../model/status.ts';
import { messageOf } from '../service/errors.ts';

/** Counts this gateway's starts; the store satisfies it. */
export interface EpochStore {
  /** counts one start */
  bumpEpoch(): number;
  /** lifts the count to `atLeast` where it is lower; returns the one that holds */
  raiseEpoch(atLeast: number): number;
}

/** The epoch of this run, by which the fleet tells what it says from what earlier runs said. */
export class Epoch {
  readonly #store: EpochStore;
  readonly #path: string;
  readonly #event: EventSink;
  #current: number;

  /** @param path of the state file, for messages */
  constructor(store: EpochStore, path: string, event: EventSink) {
    this.#store = store;
    this.#path = path;
    this.#event = event;
    this.#current = store.bumpEpoch();
  }

  get current(): number {
    return this.#current;
  }

  /** Where it cannot be stored, it holds for this run: the next start finds the fleet's epoch again. */
  raise(atLeast: number): void {
    try {
      this.#current = this.#store.raiseEpoch(atLeast);
    } catch (error) {
      const remedy = 'free some space or mend the file';
      this.#event('state.unwritable', 'error', `${this.#path}: ${messageOf(error)}; ${remedy}`);
      this.#current = atLeast;
    }
  }
}
