import type { Missing } from '../../peers/owner.ts';
import type { Backoff } from './jitter.ts';
import { waitBefore } from './jitter.ts';
import type { Lull } from './lull.ts';
import type { Timers } from './timers.ts';

export type RepairOptions = {
  readonly timers: Timers;
  readonly lull: Lull;
  /** the filters and topics that a whole view of the fleet comes by */
  readonly everything: () => readonly string[];
  /** all of that is asked for now */
  readonly onAudit: () => void;
  readonly missing: () => readonly Missing[];
  readonly topicOf: (missing: Missing) => string;
  readonly ask: (topics: readonly string[]) => void;
};

const AUDIT_MS = [5000, 10_000] as const;
/** Where a thousand start at once, on few processors, the broker gives out for half a minute; asked for all, for longer. */
const AUDIT_PATIENCE_MS = 40_000;
/** Brokers hold a client's messages in a queue and drop what does not fit: mosquitto's default is 1000. */
const [ASK_AT_ONCE, ASK_EVERY_MS] = [200, 500] as const;
const FIRST_MS = 1000;
const AGAIN: Backoff = { backoffMs: [2000, 60_000] };

/**
 * Brokers lose retained messages behind a wildcard without a word. So all is asked for once more some seconds after each
 * connection and after anything odd; and what the manifests and records list and is not here, again until it is.
 */
export class Repair {
  readonly #options: RepairOptions;
  #attempt = 0;
  /** what has been asked for and has not come */
  #asked: ReadonlySet<string> = new Set();

  constructor(options: RepairOptions) {
    this.#options = options;
  }

  /** Asks for everything again in 5 to 10 s, or in the first lull after it. */
  audit(): void {
    const { lull, everything, onAudit } = this.#options;
    const [min, max] = AUDIT_MS;
    const all = (): void => {
      onAudit();
      this.#inTurn(everything());
      this.#attempt = 0;
      this.check();
    };
    lull.setUnlessRunning('audit', min + Math.random() * (max - min), all, AUDIT_PATIENCE_MS);
  }

  /**
   * Asks for what is missing, in a second or in the first lull after it: most of it is on its way. What one owner lists
   * and never comes holds up no other's: whatever is missing anew has all asked for now.
   */
  check(): void {
    this.#options.lull.setUnlessRunning('check', FIRST_MS, () => {
      const topics = this.#missing();
      this.#asked = new Set(topics.filter((topic) => this.#asked.has(topic)));
      const isNew = topics.length > this.#asked.size;
      if (isNew) this.#attempt = 0;
      if (isNew || !this.#options.timers.isRunning('repair')) this.#pass(topics);
    });
  }

  /** Asks for these topics or filters now. */
  ask(topics: readonly string[]): void {
    this.#inTurn(topics);
  }

  #missing(): readonly string[] {
    const { missing, topicOf } = this.#options;
    return missing().map(topicOf);
  }

  #pass(topics: readonly string[]): void {
    const { timers } = this.#options;
    this.#asked = new Set(topics);
    if (topics.length === 0) {
      this.#attempt = 0;
      return;
    }
    const asked = this.#inTurn(topics);
    const wait = asked + waitBefore(this.#attempt, AGAIN);
    this.#attempt += 1;
    timers.set('repair', wait, () => this.#pass(this.#missing()));
  }

  /** Asks for the topics, so many at a time; returns when the last are asked for, in milliseconds from now. */
  #inTurn(topics: readonly string[]): number {
    const { timers, ask } = this.#options;
    ask(topics.slice(0, ASK_AT_ONCE));
    let wait = 0;
    for (let from = ASK_AT_ONCE; from < topics.length; from += ASK_AT_ONCE) {
      wait += ASK_EVERY_MS;
      timers.set(`ask ${topics[from]}`, wait, () => ask(topics.slice(from, from + ASK_AT_ONCE)));
    }
    return wait;
  }
}
