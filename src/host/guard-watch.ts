import { type GuardCounters, readGuardCounters } from './guard-tables.ts';

const POLL_MS = 2000;

export type GuardWatchOptions = {
  /** asked before each look: whether there is anything to guard */
  readonly wanted: () => boolean;
  readonly onLook: (counters: GuardCounters) => void;
};

/** Looks at the guards' counters every two seconds. */
export class GuardWatch {
  readonly #options: GuardWatchOptions;
  #latest: GuardCounters = new Map();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: GuardWatchOptions) {
    this.#options = options;
  }

  get latest(): GuardCounters {
    return this.#latest;
  }

  /** Returns what ends it. */
  start(): () => void {
    this.#schedule();
    return () => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  #schedule(): void {
    this.#timer = setTimeout(() => void this.#look(), POLL_MS).unref();
  }

  async #look(): Promise<void> {
    this.#latest = this.#options.wanted() ? await readGuardCounters() : new Map();
    if (this.#timer === undefined) return;
    this.#schedule();
    this.#options.onLook(this.#latest);
  }
}
