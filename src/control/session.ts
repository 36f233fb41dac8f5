import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import type { EventSink } from '../model/status.ts';
import { LinkspanError, messageOf } from '../service/errors.ts';
import { explain, isVersionRefusal } from './broker-error.ts';

export type SessionOptions = {
  readonly url: string;
  readonly clientId: string;
  readonly username?: string;
  /** files, read anew at each connect so that they may be renewed while the service runs; empty: none */
  readonly passwordFile?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** the retained will of the connection about to be made */
  readonly will: () => { readonly topic: string; readonly payload: Buffer };
  readonly onMessage: (topic: string, payload: Buffer, retained: boolean) => void;
  /** the subscriptions are made: publish again whatever matters, the broker may have forgotten it */
  readonly onConnect: () => void;
  readonly onEvent: EventSink;
  readonly signal?: AbortSignal;
  /** shortest and longest wait between two attempts */
  readonly backoffMs?: readonly [min: number, max: number];
  readonly random?: () => number;
};

const BACKOFF_MS = [1000, 30_000] as const;
const CONNECT_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 2000;
const KEEPALIVE_S = 15;
const STEADY_MS = 10_000;

/** One lasting MQTT session: connects, subscribes, comes back. Nothing that the broker does makes it throw. */
export class MqttSession {
  readonly #options: SessionOptions;
  readonly #abort = new AbortController();
  readonly #url: string;
  #topics: ReadonlySet<string> = new Set();
  #client: MqttClient | undefined;
  #running: Promise<void> | undefined;
  #version: 4 | 5 = 5;
  #trouble: string | undefined;
  #attempt = 0;
  #since: number | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#url = withoutCredentials(options.url);
    options.signal?.addEventListener('abort', () => void this.stop(), { once: true });
  }

  get connected(): boolean {
    return this.#client?.connected ?? false;
  }

  /** Begins to connect and returns at once. */
  start(): void {
    if (!this.#abort.signal.aborted) this.#running ??= this.#run(this.#abort.signal);
  }

  /** Closes the session in good order (its will does not fire); messages on their way get 2 s. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  /** Replaces the topics subscribed to, now and on every later connection. */
  setSubscriptions(topics: Iterable<string>): void {
    const before = this.#topics;
    this.#topics = new Set(topics);
    const client = this.#client;
    if (!client?.connected) return;
    for (const topic of this.#topics) if (!before.has(topic)) void this.#subscribe(client, topic);
    for (const topic of before) if (!this.#topics.has(topic)) client.unsubscribe(topic, () => undefined);
  }

  /** Asks the broker for the retained message of one exact topic again. */
  askAgain(topic: string): void {
    const client = this.#client;
    if (!client?.connected) return;
    const done = (): void => void (this.#topics.has(topic) || client.unsubscribe(topic, () => undefined));
    client.subscribe(topic, { qos: 1 }, done);
  }

  /** Publishes at QoS 1, or drops it where there is no connection: `onConnect` is the place to repeat what matters. */
  publish(topic: string, payload: Buffer, retain: boolean): void {
    if (!this.#client?.connected) return;
    this.#client.publish(topic, payload, { qos: 1, retain }, () => undefined);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#connectOnce(signal);
      if (this.#lasted() > STEADY_MS) this.#attempt = 0;
      await sleep(this.#backoff(this.#attempt), undefined, { signal }).catch(() => undefined);
      this.#attempt += 1;
    }
  }

  /** How long the session that ended had stood: one that ends at once, again and again, must not come back at once. */
  #lasted(): number {
    const since = this.#since;
    this.#since = undefined;
    return since === undefined ? 0 : performance.now() - since;
  }

  // full jitter: after a broker's restart the gateways of a fleet must not come back in step
  #backoff(attempt: number): number {
    const [min, max] = this.#options.backoffMs ?? BACKOFF_MS;
    const ceiling = Math.min(max, min * 2 ** Math.min(attempt + 1, 20));
    return min + (this.#options.random ?? Math.random)() * (ceiling - min);
  }

  async #connectOnce(signal: AbortSignal): Promise<void> {
    try {
      await this.#oneConnection(await this.#clientOptions(), signal);
    } catch (error) {
      if (isVersionRefusal(error) && this.#version === 5) {
        this.#version = 4;
        await this.#connectOnce(signal);
      } else if (!signal.aborted) this.#tell(error);
    }
  }

  /** Lives as long as the connection does; rejects with what ended it. */
  async #oneConnection(options: IClientOptions, signal: AbortSignal): Promise<void> {
    // the client lets credentials in the URL win over the configured ones
    const client = connect(options.username ? this.#url : this.#options.url, options);
    this.#client = client;
    let cause: Error | undefined;
    client.on('error', (error) => void (cause ??= error));
    client.on('connect', () => void this.#established(client));
    client.on('message', (topic, payload, packet) =>
      this.#guard(topic, () => this.#options.onMessage(topic, payload, packet.retain)),
    );
    const stop = (): void => void this.#end(client);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await new Promise<void>((resolve) => client.once('close', resolve));
    signal.removeEventListener('abort', stop);
    // what is in flight is given up: `onConnect` publishes the newer state
    client.end(true);
    throw cause ?? new Error('connection closed');
  }

  async #end(client: MqttClient): Promise<void> {
    const force = setTimeout(() => client.end(true), STOP_TIMEOUT_MS);
    if (!client.connected) client.end(true);
    else await client.endAsync(false).catch(() => undefined);
    clearTimeout(force);
  }

  async #established(client: MqttClient): Promise<void> {
    this.#since = performance.now();
    if (this.#trouble !== undefined)
      this.#options.onEvent('broker_connected', 'info', `broker ${this.#url}: connected`);
    this.#trouble = undefined;
    await Promise.all([...this.#topics].map((topic) => this.#subscribeOnce(client, topic)));
    if (this.#client === client && client.connected) this.#guard('connection', () => this.#options.onConnect());
  }

  async #subscribeOnce(client: MqttClient, topic: string): Promise<void> {
    const granted = await this.#ask(client, topic);
    if (!granted) void this.#subscribe(client, topic, 1);
  }

  /** Subscribes, and again with growing waits while the broker refuses (a cluster that elects refuses for seconds). */
  async #subscribe(client: MqttClient, topic: string, attempts = 0): Promise<void> {
    const { signal } = this.#abort;
    for (let attempt = attempts; client.connected && this.#topics.has(topic); attempt += 1) {
      if (attempt > 0) await sleep(this.#backoff(attempt), undefined, { signal }).catch(() => undefined);
      if (signal.aborted || (await this.#ask(client, topic))) return;
      const remedy = "check the broker's access rules for this gateway; it is tried again";
      if (attempt === attempts)
        this.#options.onEvent('subscribe_refused', 'warning', `${topic}: the broker refuses; ${remedy}`);
    }
  }

  async #ask(client: MqttClient, topic: string): Promise<boolean> {
    if (!client.connected) return false;
    return client.subscribeAsync(topic, { qos: 1 }).then(
      (grants) => grants.every((grant) => grant.qos !== 128),
      () => false,
    );
  }

  async #clientOptions(): Promise<IClientOptions> {
    const { clientId, username, passwordFile, ca, cert, key, will } = this.#options;
    const [password, caText, certText, keyText] = await Promise.all(
      [passwordFile, ca, cert, key].map((path) => readSecret(path)),
    );
    return {
      protocolVersion: this.#version,
      clientId,
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      ...(username ? { username } : {}),
      ...(password ? { password: password.toString().trimEnd() } : {}),
      ...(caText ? { ca: caText } : {}),
      ...(certText ? { cert: certText } : {}),
      ...(keyText ? { key: keyText } : {}),
      will: { ...will(), qos: 1, retain: true },
    };
  }

  // an error of the receiver (a full disk, say) must not pass through the MQTT client and end the process
  #guard(what: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.onEvent('message_failed', 'error', `${what}: ${messageOf(error)}`);
    }
  }

  // one event for each change: a broker that is away for a day must not fill the log
  #tell(error: unknown): void {
    const { trouble, message } = explain(error, this.#url);
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#options.onEvent(trouble, 'warning', message);
  }
}

async function readSecret(path: string | undefined): Promise<Buffer | undefined> {
  if (!path) return undefined;
  return readFile(path).catch((cause: unknown) => {
    const remedy = 'make it readable for the service, or mend its path';
    throw new LinkspanError({ code: 'broker_credentials', object: path, reason: messageOf(cause), remedy, cause });
  });
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}
