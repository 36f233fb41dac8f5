import type { DatapathStatus } from '../datapath/status.ts';
import { readDatapath } from './datapath-client.ts';

const POLL_MS = 2000;

export type DatapathWatchOptions = {
  readonly socket: string;
  /** asked before each look: whether the process matters at all */
  readonly wanted: () => boolean;
  /** it came, went, or was told something by another */
  readonly onChange: () => void;
  readonly pollMs?: number;
};

/**
 * Looks at the datapath process every two seconds: its counters are shown fresh, and one that was started anew is told
 * its state at once and not with the next regular cycle.
 */
export class DatapathWatch {
  readonly #options: DatapathWatchOptions;
  #latest: DatapathStatus | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DatapathWatchOptions) {
    this.#options = options;
  }

  get latest(): DatapathStatus | undefined {
    return this.#latest;
  }

  /** Returns what ends it. */
  start(): () => void {
    this.#timer = setTimeout(() => void this.#look(), this.#options.pollMs ?? POLL_MS).unref();
    return () => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  async #look(): Promise<void> {
    const { socket, wanted, onChange, pollMs = POLL_MS } = this.#options;
    const before = this.#latest;
    this.#latest = socket !== '' && wanted() ? await readDatapath(socket) : undefined;
    if (this.#timer === undefined) return;
    this.#timer = setTimeout(() => void this.#look(), pollMs).unref();
    if (fingerprint(before) !== fingerprint(this.#latest)) onChange();
  }
}

/** All but the counters and the age. */
function fingerprint(status: DatapathStatus | undefined): string {
  return JSON.stringify(status && [status.pid, status.state, status.underlay, status.networks]);
}
