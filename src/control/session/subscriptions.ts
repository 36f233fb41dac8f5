import { setTimeout as sleep } from 'node:timers/promises';
import type { ISubscriptionMap, MqttClient } from 'mqtt';
import type { EventSink } from '../../model/status.ts';
import { type Backoff, waitBefore } from './jitter.ts';
import { lastWord } from './life.ts';

/** SUBACK's return codes from here on are refusals (MQTT 3.1.1 section 3.9.3, MQTT 5 section 3.9.3). */
const REFUSED = 128;
/** Topics of one SUBSCRIBE: a packet for each would be most of what a fleet's cold start sends. */
const AT_ONCE = 200;
/**
 * mosquitto drops what a client's queue does not take, its answers too: one that never comes is a refusal. Over a slow link
 * it waits behind what is retained, so the time begins again, up to two minutes, while anything comes.
 */
const [ANSWER_MS, LONGEST_MS, LOOK_MS] = [10_000, 120_000, 1000];

/** By topic or filter, the quality of service that it is subscribed to with. */
export type Wanted = ReadonlyMap<string, 0 | 1>;

type Entries = readonly (readonly [topic: string, qos: 0 | 1])[];

export type SubscriptionsOptions = Backoff & {
  /** ends the waiting for a broker that refuses */
  readonly signal: AbortSignal;
  readonly onEvent: EventSink;
};

/** The topics that a session wants, on whichever connection it has. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  #wanted: Wanted = new Map();
  /** what is to be asked for again */
  #again: ReadonlySet<string> = new Set();
  /** the connection on which that is done now */
  #asking: MqttClient | undefined;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** Replaces the topics, now where there is a connection, and on every later one. */
  replace(wanted: Wanted, client: MqttClient | undefined): void {
    const before = this.#wanted;
    this.#wanted = wanted;
    if (!client?.connected) return;
    const [gone, come] = [without(before, wanted), without(wanted, before)];
    if (come.length > 0) void this.#subscribe(client, come);
    if (gone.length > 0) client.unsubscribe(gone, () => undefined);
  }

  /**
   * Subscribes to all on a new connection; resolves when each is granted or refused, or the answer takes long. What is
   * refused is tried again.
   */
  async establish(client: MqttClient): Promise<void> {
    this.#again = new Set();
    const long = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, long.signal]);
    const late = sleep(ANSWER_MS, undefined, { signal, ref: false }).catch(() => undefined);
    await Promise.race([this.#first(client), late]);
    long.abort();
  }

  async #first(client: MqttClient): Promise<void> {
    const refused = await ask(client, this.#wanted);
    if (refused.length > 0) void this.#subscribe(client, refused, 1);
  }

  /**
   * Subscribes once more, for which the broker gives the retained messages again; what is asked for while an answer is
   * outstanding, once after it: over a slow link the same would come many times.
   */
  askAgain(client: MqttClient, topics: readonly string[]): void {
    this.#again = new Set([...this.#again, ...topics]);
    if (this.#asking !== client) void this.#askInTurn(client);
  }

  async #askInTurn(client: MqttClient): Promise<void> {
    this.#asking = client;
    while (this.#again.size > 0) {
      const topics = [...this.#again];
      const now = topics.slice(0, AT_ONCE);
      this.#again = new Set(topics.slice(AT_ONCE));
      await askFor(
        client,
        now.map((topic) => [topic, this.#wanted.get(topic) ?? 0]),
      );
      if (!client.connected) break;
      const passing = now.filter((topic) => !this.#wanted.has(topic));
      if (passing.length > 0) client.unsubscribe(passing, () => undefined);
    }
    if (this.#asking === client) this.#asking = undefined;
  }

  /** Subscribes, and again with growing waits while the broker refuses (a cluster that elects refuses for seconds). */
  async #subscribe(client: MqttClient, topics: readonly string[], attempts = 0): Promise<void> {
    const { signal, onEvent } = this.#options;
    let left = topics;
    for (let attempt = attempts; client.connected; attempt += 1) {
      if (attempt > 0) await sleep(waitBefore(attempt, this.#options), undefined, { signal }).catch(() => undefined);
      left = left.filter((topic) => this.#wanted.has(topic));
      if (signal.aborted || left.length === 0) return;
      left = await ask(client, new Map(left.map((topic) => [topic, this.#wanted.get(topic) ?? 0])));
      const remedy = "check the broker's access rules for this gateway; it is tried again";
      for (const topic of attempt === attempts ? left : [])
        onEvent('subscribe_refused', 'warning', `${topic}: the broker refuses; ${remedy}`);
    }
  }
}

const without = (some: Wanted, others: Wanted): string[] => [...some.keys()].filter((topic) => !others.has(topic));

/** Subscribes; returns what the broker refuses. */
async function ask(client: MqttClient, wanted: Wanted): Promise<readonly string[]> {
  const entries = [...wanted];
  const packets = Array.from({ length: Math.ceil(entries.length / AT_ONCE) }, (_, nth) =>
    askFor(client, entries.slice(nth * AT_ONCE, (nth + 1) * AT_ONCE)),
  );
  return (await Promise.all(packets)).flat();
}

/** On a NATS cluster, which speaks 3.1.1, a subscription at QoS 1 is a replicated consumer: a second to make, each. */
const isDear = (client: MqttClient): boolean => client.options.protocolVersion !== 5;

function orderOf(client: MqttClient, entries: Entries): ISubscriptionMap {
  return Object.fromEntries(entries.map(([topic, qos]) => [topic, { qos: isDear(client) ? 0 : qos }]));
}

async function askFor(client: MqttClient, entries: Entries): Promise<readonly string[]> {
  const topics = entries.map(([topic]) => topic);
  if (!client.connected) return topics;
  const { promise: late, resolve } = Promise.withResolvers<readonly string[]>();
  const cease = onceOverdue(client, () => resolve(topics));
  const answered = client.subscribeAsync(orderOf(client, entries)).then(
    (): readonly string[] => [],
    (error: { readonly packet?: { readonly granted?: readonly number[] } }) => {
      const granted = error.packet?.granted;
      return topics.filter((_, index) => (granted?.[index] ?? REFUSED) >= REFUSED);
    },
  );
  return Promise.race([answered, late]).finally(cease);
}

/** Calls `late` when nothing has come for a while, or all has taken too long; returns the way to stop that. */
function onceOverdue(client: MqttClient, late: () => void): () => void {
  const asked = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    const silence = now - Math.max(asked, lastWord(client));
    if (silence >= ANSWER_MS || now - asked >= LONGEST_MS) late();
  }, LOOK_MS).unref();
  return () => clearInterval(timer);
}
