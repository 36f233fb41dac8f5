import { type BridgeEntry, readEntries } from './bridge-fdb.ts';
import type { ObservedLink } from './links.ts';

/** Also the least time between two publications of devices that come and go. */
const POLL_MS = 1000;
/** While there is no bridge to look at: each timer costs an idle gateway. */
const IDLE_MS = 5000;

type Port = Pick<ObservedLink, 'index' | 'name'>;

/** A device's MAC and the port that it is behind. */
export type Learned = Pick<BridgeEntry, 'mac' | 'port'>;

export type BridgeWatchOptions = {
  /** asked before each look: the ports whose learned MACs matter */
  readonly ports: () => readonly Port[];
  /** asked at each look: what is known to be behind those ports, by which cycle */
  readonly known: () => { readonly learned: readonly Learned[]; readonly cycle: object | undefined };
  /** a device has come, or was forgotten */
  readonly onChange: () => void;
};

/**
 * Looks once a second at what bridges have learned, and compares it with what is known: a device that was gone and is back
 * between two looks is news where a cycle has missed it meanwhile. The kernel's own messages would tell of each device's
 * every move.
 */
export class BridgeWatch {
  readonly #options: BridgeWatchOptions;
  /** by whose view a difference was told last: where no cycle comes of it, none is asked for each second */
  #told: object | undefined;
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
    if (tables === undefined || ports.length === 0) return;
    const learned = [...tables.values()].flat().filter(({ origin }) => origin === 'learned');
    const known = this.#options.known();
    if (textOf(learned) === textOf(known.learned) || known.cycle === this.#told) return;
    this.#told = known.cycle;
    this.#options.onChange();
  }
}

function textOf(learned: readonly Learned[]): string {
  const rows = learned.map(({ mac, port }) => `${port} ${mac}`);
  return rows.toSorted().join('\n');
}
