import { type Backoff, waitBefore } from './jitter.ts';

/** `correlation`: what whoever asked tells its answer by (MQTT 5). */
export type Message = {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  readonly correlation?: Buffer | undefined;
};

/** Hands a message to the connection; `done` when the broker has confirmed it, or refused it. */
export type Send = (message: Message, done: () => void) => void;

export type OutboxOptions = {
  readonly send: Send;
  /** nothing retained is under way any more */
  readonly onIdle: () => void;
  /** whether messages have arrived that wait to be worked on: confirmations may be among them */
  readonly isBehind: () => boolean;
};

/** Events and answers under way at once; a fleet's operator is not served better by more of them over a slow link. */
const PASSING_MAX = 64;
/** After that long nobody waits for its confirmation: an overrun broker drops those. */
const PASSED_MS = 60_000;
/**
 * A broker that is overrun drops its confirmations, and over a slow link they wait behind all that it has to say: so the
 * newest state goes out without one, after a wait that doubles.
 */
const UNCONFIRMED: Backoff = { backoffMs: [5000, 60_000], random: () => 1 };

/**
 * What this gateway says over one connection. Of each retained topic one message is under way at most, and behind it the
 * newest waits: over a slow link the latest state wins, and memory stays that of one state, however often it changes. What
 * waits goes out in the order in which it was said last: a manifest lists records that were said before it.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  /** retained topics, the one that was sent first is the first */
  readonly #underWay = new Set<string>();
  /** by retained topic, what goes out after that; what was said last is the last */
  readonly #waiting = new Map<string, Buffer>();
  /** what is not retained and under way, with when it was sent, monotonic milliseconds */
  readonly #passing = new Set<{ readonly at: number }>();
  #patience: NodeJS.Timeout | undefined;
  /** how often it has run out since the broker confirmed anything */
  #unconfirmed = 0;
  /** of the messages that are waited for; those of an earlier one have been given up */
  #round = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#underWay.size === 0;
  }

  /** Of a retained topic: now, or behind all that waits, in place of its own. Of others: now, or not at all while too many are under way. */
  put(message: Message): void {
    const { topic, payload, retain } = message;
    if (!retain) this.#pass(message);
    else if (!this.#underWay.has(topic) && !this.#waiting.has(topic)) this.#say(topic, payload);
    else {
      this.#waiting.delete(topic);
      this.#waiting.set(topic, payload);
    }
  }

  /** The last word on a topic: at once, in place of all that waits. */
  putLast(topic: string, payload: Buffer): void {
    this.close();
    this.#options.send({ topic, payload, retain: true }, () => undefined);
  }

  /** Nothing more is sent of what waits. */
  close(): void {
    clearTimeout(this.#patience);
    this.#round += 1;
    this.#underWay.clear();
    this.#waiting.clear();
  }

  #pass(message: Message): void {
    const at = performance.now();
    for (const one of this.#passing) if (at - one.at > PASSED_MS) this.#passing.delete(one);
    if (this.#passing.size >= PASSING_MAX) return;
    const sent = { at };
    this.#passing.add(sent);
    this.#options.send(message, () => void this.#passing.delete(sent));
  }

  #say(topic: string, payload: Buffer): void {
    const round = this.#round;
    if (this.isIdle) this.#wait();
    this.#underWay.add(topic);
    this.#options.send({ topic, payload, retain: true }, () => {
      if (round === this.#round) this.#confirmed(topic);
    });
  }

  #confirmed(topic: string): void {
    // confirmations come in order: one that others overtake will not come, however many do
    const [oldest] = this.#underWay;
    this.#underWay.delete(topic);
    this.#unconfirmed = 0;
    if (topic === oldest) this.#wait();
    this.#goOn();
    if (!this.isIdle) return;
    clearTimeout(this.#patience);
    this.#options.onIdle();
  }

  #goOn(): void {
    for (const [topic, payload] of this.#waiting) {
      if (this.#underWay.has(topic)) return;
      this.#waiting.delete(topic);
      this.#say(topic, payload);
    }
  }

  /** For the oldest one's confirmation, from now on. */
  #wait(): void {
    clearTimeout(this.#patience);
    const wait = waitBefore(this.#unconfirmed - 1, UNCONFIRMED);
    this.#patience = setTimeout(() => this.#giveUp(), wait).unref();
  }

  /** What was said last goes unconfirmed; the newest state comes first, and then what waited behind it. */
  #giveUp(): void {
    if (this.#options.isBehind()) return this.#wait();
    const waiting = [...this.#waiting];
    this.#unconfirmed += 1;
    this.close();
    this.#options.onIdle();
    for (const [topic, payload] of waiting) if (!this.#underWay.has(topic)) this.#say(topic, payload);
  }
}
