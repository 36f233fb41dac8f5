import { setTimeout as sleep } from 'node:timers/promises';
import type { MqttClient } from 'mqtt';
import type { EventSink } from '../model/status.ts';
import { type Backoff, waitBefore } from './jitter.ts';

/** SUBACK's return code for a refusal (MQTT 3.1.1 section 3.9.3). */
const REFUSED = 128;

export type SubscriptionsOptions = Backoff & {
  /** ends the waiting for a broker that refuses */
  readonly signal: AbortSignal;
  readonly onEvent: EventSink;
};

/** The topics that a session wants, on whichever connection it has. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  #topics: ReadonlySet<string> = new Set();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** Replaces the topics, now where there is a connection, and on every later one. */
  replace(topics: Iterable<string>, client: MqttClient | undefined): void {
    const before = this.#topics;
    this.#topics = new Set(topics);
    if (!client?.connected) return;
    for (const topic of this.#topics) if (!before.has(topic)) void this.#subscribe(client, topic);
    for (const topic of before) if (!this.#topics.has(topic)) client.unsubscribe(topic, () => undefined);
  }

  /** Subscribes to all on a new connection; resolves when each is granted or refused. What is refused is tried again. */
  async establish(client: MqttClient): Promise<void> {
    await Promise.all(
      [...this.#topics].map(async (topic) => {
        if (!(await ask(client, topic))) void this.#subscribe(client, topic, 1);
      }),
    );
  }

  /** Subscribes once more, for which the broker gives the retained messages again. */
  askAgain(client: MqttClient, topics: readonly string[]): void {
    const done = (): void => {
      const passing = topics.filter((topic) => !this.#topics.has(topic));
      if (passing.length > 0) client.unsubscribe(passing, () => undefined);
    };
    client.subscribe([...topics], { qos: 1 }, done);
  }

  /** Subscribes, and again with growing waits while the broker refuses (a cluster that elects refuses for seconds). */
  async #subscribe(client: MqttClient, topic: string, attempts = 0): Promise<void> {
    const { signal, onEvent } = this.#options;
    for (let attempt = attempts; client.connected && this.#topics.has(topic); attempt += 1) {
      if (attempt > 0) await sleep(waitBefore(attempt, this.#options), undefined, { signal }).catch(() => undefined);
      if (signal.aborted || (await ask(client, topic))) return;
      const remedy = "check the broker's access rules for this gateway; it is tried again";
      if (attempt === attempts) onEvent('subscribe_refused', 'warning', `${topic}: the broker refuses; ${remedy}`);
    }
  }
}

/** Whether the broker grants the subscription. */
async function ask(client: MqttClient, topic: string): Promise<boolean> {
  if (!client.connected) return false;
  return client.subscribeAsync(topic, { qos: 1 }).then(
    (grants) => grants.every((grant) => grant.qos !== REFUSED),
    () => false,
  );
}
