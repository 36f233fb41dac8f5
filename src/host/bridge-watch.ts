import { readEntries } from './bridge-fdb.ts';
import type { ObservedLink } from './links.ts';

/** Also the least time between two publications of devices that come and go. */
const POLL_MS = 1000;
/** While there is no bridge to look at: each timer costs an idle gateway. */
const IDLE_MS = 5000;

type Port = Pick<ObservedLink, 'index' | 'name'>;

export type BridgeWatchOptions = {
  /** asked before each look: the ports whose learned MACs matter */
  readonly ports: () => readonly Port[];
  /** a device has come, or was forgotten */
  readonly onChange: () => void;
};

/** Looks once a second at what bridges have learned; the kernel's own messages would tell of each device's every move. */
export class BridgeWatch {
  readonly #options: BridgeWatchOptions;
  #latest = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(options: BridgeWatchOptions) {
    this.#options = options;
  }

  /** Returns what ends it. */
  start(): () => void {
    this.#timer = setTimeout(() => void this.#look(), POLL_MS).unref();
    return () => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  async #look(): Promise<void> {
    // A port that is gone meanwhile has the loop's attention already.
    const ports = this.#options.ports();
    const tables = await readEntries(ports).catch(() => undefined);
    if (this.#timer === undefined) return;
    this.#timer = setTimeout(() => void this.#look(), ports.length > 0 ? POLL_MS : IDLE_MS).unref();
    const learned = [...(tables?.values() ?? [])].flat().filter(({ origin }) => origin === 'learned');
    const text = learned
      .map(({ mac, port }) => `${port} ${mac}`)
      .toSorted()
      .join('\n');
    if (tables === undefined || text === this.#latest) return;
    this.#latest = text;
    this.#options.onChange();
  }
}
