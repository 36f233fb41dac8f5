import { type GuardCounters, readGuardCounters } from './guard-tables.ts';

const POLL_MS = 5000;

export type GuardWatchOptions = {
  /** asked before each look: whether there is anything to guard */
  readonly wanted: () => boolean;
  readonly onLook: (counters: GuardCounters) => void;
};

/** Looks at the guards' counters every five seconds. */
export class GuardWatch {
  readonly #options: GuardWatchOptions;
  #latest: GuardCounters = new Map();
  #timer: NodeJS.Timeout | undefined;
  #running = false;

  constructor(options: GuardWatchOptions) {
    this.#options = options;
  }

  get latest(): GuardCounters {
    return this.#latest;
  }

  /** Looks at once: what was dropped before is no news. Returns what ends it. */
  start(): () => void {
    this.#running = true;
    void this.#look();
    return () => {
      this.#running = false;
      clearTimeout(this.#timer);
    };
  }

  async #look(): Promise<void> {
    const found = this.#options.wanted() ? await readGuardCounters() : new Map();
    if (!this.#running) return;
    this.#timer = setTimeout(() => void this.#look(), POLL_MS).unref();
    if (found === undefined) return;
    this.#latest = found;
    this.#options.onLook(found);
  }
}
