import { setTimeout as sleep } from 'node:timers/promises';
import type { ISubscriptionMap, MqttClient } from 'mqtt';
import type { EventSink } from '../model/status.ts';
import { type Backoff, waitBefore } from './jitter.ts';

/** SUBACK's return codes from here on are refusals (MQTT 3.1.1 section 3.9.3, MQTT 5 section 3.9.3). */
const REFUSED = 128;
/** Topics of one SUBSCRIBE: a packet for each would be most of what a fleet's cold start sends. */
const AT_ONCE = 200;
/** mosquitto drops what a client's queue does not take, its answers too: one that never comes is a refusal. */
const ANSWER_MS = 10_000;

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

  /** Subscribes to all on a new connection; resolves when each is granted or refused. What is refused is tried again. */
  async establish(client: MqttClient): Promise<void> {
    const refused = await ask(client, this.#wanted);
    if (refused.length > 0) void this.#subscribe(client, refused, 1);
  }

  /** Subscribes once more, for which the broker gives the retained messages again. */
  askAgain(client: MqttClient, topics: readonly string[]): void {
    const done = (): void => {
      const passing = topics.filter((topic) => !this.#wanted.has(topic));
      if (passing.length > 0) client.unsubscribe(passing, () => undefined);
    };
    const wanted = topics.map((topic) => [topic, this.#wanted.get(topic) ?? 0] as const);
    client.subscribe(orderOf(client, wanted), done);
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
  const patience = setTimeout(() => resolve(topics), ANSWER_MS).unref();
  const answered = client.subscribeAsync(orderOf(client, entries)).then(
    (): readonly string[] => [],
    (error: { readonly packet?: { readonly granted?: readonly number[] } }) => {
      const granted = error.packet?.granted;
      return topics.filter((_, index) => (granted?.[index] ?? REFUSED) >= REFUSED);
    },
  );
  return Promise.race([answered, late]).finally(() => clearTimeout(patience));
}
