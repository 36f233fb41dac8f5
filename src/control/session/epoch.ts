import type { EventSink } from '../../model/status.ts';
import { messageOf } from '../../service/errors.ts';

/** Counts this gateway's starts; the store satisfies it. */
export interface EpochStore {
  /** counts one start */
  bumpEpoch(): number;
  /** lifts the count to `atLeast` where it is lower; returns the one that holds */
  raiseEpoch(atLeast: number): number;
}

/**
 * The epoch of this run, by which the fleet tells what it says from what earlier runs said. A start that is not counted
 * would say other things under the last run's numbers: so nothing is said before it is.
 */
export class Epoch {
  readonly #store: EpochStore;
  readonly #path: string;
  readonly #event: EventSink;
  #current: number | undefined;
  #failing = false;

  /** @param path of the state file, for messages */
  constructor(store: EpochStore, path: string, event: EventSink) {
    this.#store = store;
    this.#path = path;
    this.#event = event;
    this.take();
  }

  /** Undefined while this start could not be counted. */
  get current(): number | undefined {
    return this.#current;
  }

  /** The same, after another try where it is needed. */
  take(): number | undefined {
    try {
      this.#current ??= this.#store.bumpEpoch();
      if (this.#failing) this.#event('state.writable', 'info', `${this.#path}: this start is counted`);
      this.#failing = false;
    } catch (error) {
      const loss = 'what runs goes on, and nothing is said to the broker before this start is counted';
      if (!this.#failing) this.#tell(error, loss);
      this.#failing = true;
    }
    return this.#current;
  }

  /** Where it cannot be stored, it holds for this run: the next start finds the fleet's epoch again. */
  raise(atLeast: number): void {
    try {
      this.#current = this.#store.raiseEpoch(atLeast);
    } catch (error) {
      this.#tell(error);
      this.#current = atLeast;
    }
  }

  #tell(error: unknown, loss?: string): void {
    const remedy = ['free some space or mend the file', ...(loss === undefined ? [] : [loss])].join('; ');
    this.#event('state.unwritable', 'error', `${this.#path}: ${messageOf(error)}; ${remedy}`);
  }
}
