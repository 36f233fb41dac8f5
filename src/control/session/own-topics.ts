import type { EventSink } from '../../model/status.ts';
import { digestOfBytes } from '../../peers/record.ts';
import type { Clock } from '../../service/clock.ts';
import { TokenBucket } from '../../service/token-bucket.ts';
import type { Lull } from './lull.ts';
import type { Timers } from './timers.ts';

export type OwnTopicsOptions = {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly lull: Pick<Lull, 'isNow' | 'isBehind'>;
  /** whether nothing newer waits that a repetition would hold up */
  readonly mayRepeat: () => boolean;
  /** publishes the same retained bytes again */
  readonly repeat: (topic: string, payload: Buffer) => void;
  /** publishes what belongs on the topic anew, with a higher sequence number; nothing does: erases it */
  readonly heal: (topic: string) => void;
  readonly onEvent: EventSink;
};

type Own = {
  readonly payload: Buffer;
  /** digests of what this run published there before: their echoes may still be on their way */
  readonly earlier: readonly string[];
  /** what the broker showed there since: nothing yet, this payload, or what is not ours */
  seen: 'nothing' | 'ours' | 'foreign';
  repeated: number;
  /** when it is repeated next, monotonic milliseconds */
  due: number;
};

const CHECK_MS = 2000;
const EARLIER = 32;
/** A broker that shows us nothing of our own is not asked to for ever. */
const REPEATS = 5;
/** Nor is what is on its way repeated: while the broker gives out much, our own comes late. So often that waits. */
const PATIENCE = 5;

/**
 * What the broker shows on this gateway's own retained topics. It is subscribed to them: so what it publishes must come
 * back, and anything else there is a loss, a slip or an attack, which its owner alone can mend.
 */
export class OwnTopics {
  readonly #options: OwnTopicsOptions;
  readonly #own = new Map<string, Own>();
  readonly #orphans = new Set<string>();
  readonly #bucket: TokenBucket;
  #waited = 0;

  constructor(options: OwnTopicsOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket({ burst: 5, perSecond: 1 }, options.clock);
  }

  /** This was published there; an empty payload: the topic was given up. */
  published(topic: string, payload: Buffer): void {
    const before = this.#own.get(topic);
    this.#orphans.delete(topic);
    if (payload.length === 0) this.#own.delete(topic);
    else {
      const earlier = before ? [...before.earlier, digestOfBytes(before.payload)].slice(-EARLIER) : [];
      this.#own.set(topic, { payload, earlier, seen: 'nothing', repeated: 0, due: 0 });
      this.#checkLater();
    }
  }

  /** The broker shows this there. */
  received(topic: string, payload: Buffer): void {
    const own = this.#own.get(topic);
    if (own) own.seen = seenIn(own, payload);
    else if (payload.length > 0) this.#orphans.add(topic);
    if (own?.seen !== 'ours') this.#checkLater();
  }

  /** All of it is asked for again: what the broker does not show then it has lost, or others have erased it unseen. */
  doubt(): void {
    for (const own of this.#own.values()) {
      own.repeated = 0;
      own.due = 0;
      if (own.seen === 'ours') own.seen = 'nothing';
    }
    this.#options.timers.set('own-topics', CHECK_MS, () => this.#check());
  }

  /** Each with growing waits: over a slow link it comes back late, and repetitions make all the rest come later. */
  #repeat(): void {
    const { lull, clock, mayRepeat, repeat } = this.#options;
    if (lull.isBehind || !mayRepeat()) return;
    this.#waited = lull.isNow ? PATIENCE : this.#waited + 1;
    if (this.#waited < PATIENCE) return;
    this.#waited = 0;
    const now = clock.monotonic();
    for (const [topic, own] of this.#own) {
      if (own.seen !== 'nothing' || own.repeated >= REPEATS || now < own.due) continue;
      own.repeated += 1;
      own.due = now + CHECK_MS * 2 ** own.repeated;
      repeat(topic, own.payload);
    }
  }

  #checkLater(): void {
    this.#options.timers.setUnlessRunning('own-topics', CHECK_MS, () => this.#check());
  }

  #check(): void {
    const { heal, onEvent } = this.#options;
    this.#repeat();
    const foreign = [...this.#own].flatMap(([topic, { seen }]) => (seen === 'foreign' ? [topic] : []));
    for (const topic of [...foreign, ...this.#orphans]) {
      if (!this.#bucket.take()) break;
      const message = `${topic}: the broker retained what this gateway does not say; it is published anew`;
      if (foreign.includes(topic)) onEvent('record_healed', 'warning', message);
      heal(topic);
    }
    if (this.#orphans.size > 0 || [...this.#own.values()].some(isOpen)) this.#checkLater();
  }
}

/** Whether the broker does not show what it should, and something can still be done. */
function isOpen({ seen, repeated }: Own): boolean {
  return seen === 'foreign' || (seen === 'nothing' && repeated < REPEATS);
}

function seenIn({ payload, earlier }: Own, shown: Buffer): Own['seen'] {
  if (shown.equals(payload)) return 'ours';
  return shown.length > 0 && earlier.includes(digestOfBytes(shown)) ? 'nothing' : 'foreign';
}
