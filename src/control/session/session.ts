import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Duplex } from 'node:stream';
import type { IClientOptions, IClientPublishOptions, IPublishPacket, MqttClient } from 'mqtt';
import type { EventSink } from '../../model/status.ts';
import { messageOf } from '../../service/errors.ts';
import { explain, isVersionRefusal } from './broker-error.ts';
import { type Credentials, readCredentials } from './credentials.ts';
import { type Backoff, waitBefore } from './jitter.ts';
import { isBehind, takeMessages } from './intake.ts';
import { keepAlive } from './life.ts';
import { type Message, Outbox } from './outbox.ts';
import { Subscriptions, type Wanted } from './subscriptions.ts';

/** Where the broker is, and how to come to it; `url` may list the nodes of a cluster, with commas between. */
export type BrokerAccess = Credentials &
  Backoff & {
    readonly url: string;
    /** a way to it within this process, in place of the URL */
    readonly open?: () => Duplex;
    /** seconds after which a connection without a word is asked whether it lives; default 15 */
    readonly keepaliveS?: number;
  };

/** Where whoever asks by a message wants the answer, and by what it tells it (MQTT 5). */
export type Asks = { readonly responseTopic?: string; readonly correlation?: Buffer };

export type SessionOptions = BrokerAccess & {
  readonly clientId: string;
  /** the retained will of the connection about to be made */
  readonly will: () => { readonly topic: string; readonly payload: Buffer };
  readonly onMessage: (topic: string, payload: Buffer, retained: boolean, asks: Asks) => void;
  /** the subscriptions are made: publish again whatever matters, the broker may have forgotten it */
  readonly onConnect: () => void;
  /** the broker has confirmed all that is retained: there is room for newer state */
  readonly onIdle?: () => void;
  readonly onEvent: EventSink;
  readonly signal?: AbortSignal;
};

const CONNECT_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 2000;
const KEEPALIVE_S = 15;
const STEADY_MS = 10_000;
/** Loopback and link-local: no list of a host's addresses need have them. */
const PASSED_OVER = /^(?:::ffff:)?127\.|^::1$|^fe80:/;

/** One lasting MQTT session: connects, subscribes, comes back. Nothing that the broker does makes it throw. */
export class MqttSession {
  readonly #options: SessionOptions;
  readonly #abort = new AbortController();
  readonly #urls: readonly string[];
  readonly #subscriptions: Subscriptions;
  #client: MqttClient | undefined;
  #outbox: Outbox | undefined;
  #endIntake: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #version: 4 | 5 = 5;
  #trouble: string | undefined;
  #attempt = 0;
  #hurry = new AbortController();
  #hurried = false;
  /** which of the nodes is, or was last, tried */
  #turn = 0;
  #since: number | undefined;
  /** this gateway's own, as it was last read */
  #certificate: Buffer | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#urls = options.url.split(',');
    this.#subscriptions = new Subscriptions({ ...options, signal: this.#abort.signal });
    options.signal?.addEventListener('abort', () => void this.stop(), { once: true });
  }

  get connected(): boolean {
    return this.#client?.connected ?? false;
  }

  /** The broker's address, where the connection stands and is known to have one. */
  get brokerAddress(): string | undefined {
    const { remoteAddress } = (this.#client?.stream ?? {}) as Partial<Socket>;
    return this.connected ? remoteAddress : undefined;
  }

  /** The node that this is connected to, or tries to be, without credentials. */
  get url(): string {
    return withoutCredentials(this.#target);
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

  /** Connects anew at once, over a way that may be another than the last one. */
  renew(): void {
    this.#attempt = 0;
    this.#hurried = true;
    this.#hurry.abort();
    if (this.#client) void this.#end(this.#client);
  }

  /** Replaces the topics subscribed to, now and on every later connection. */
  setSubscriptions(wanted: Wanted): void {
    this.#subscriptions.replace(wanted, this.#client);
  }

  /** Asks the broker for what it retains on these topics or filters again. */
  askAgain(topics: readonly string[]): void {
    if (this.#client?.connected && topics.length > 0) this.#subscriptions.askAgain(this.#client, topics);
  }

  /** Whether messages have arrived that wait to be worked on. */
  get isBehind(): boolean {
    return this.#client !== undefined && isBehind(this.#client);
  }

  /** Whether the broker has confirmed all that was published to be retained. */
  get isIdle(): boolean {
    return this.#outbox?.isIdle ?? true;
  }

  /**
   * Publishes at QoS 1, or drops it where there is no connection: `onConnect` is the place to repeat what matters. While a
   * message of a retained topic is on its way the newest waits; others are dropped where too many are.
   */
  publish(topic: string, payload: Buffer, retain: boolean, correlation?: Buffer): void {
    if (this.#client?.connected) this.#outbox?.put({ topic, payload, retain, correlation });
  }

  /** Publishes the last retained word before `stop`, whatever is on its way. */
  publishLast(topic: string, payload: Buffer): void {
    if (this.#client?.connected) this.#outbox?.putLast(topic, payload);
  }

  /**
   * Ends a connection that left from an address which this host no longer has (`addresses` without link-local ones): no
   * answer will come back to it, and that alone would be noticed by the keepalive, half a minute later.
   */
  hostHas(addresses: ReadonlySet<string>): void {
    const client = this.#client;
    const { localAddress: from } = (client?.stream ?? {}) as Partial<Socket>;
    if (!client?.connected || from === undefined || PASSED_OVER.test(from) || addresses.has(from)) return;
    this.#attempt = 0;
    this.#hurried = true;
    client.end(true);
  }

  get #target(): string {
    return this.#urls[this.#turn % this.#urls.length] ?? '';
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#connectOnce(signal);
      if (this.#lasted() > STEADY_MS) this.#attempt = 0;
      await this.#wait(signal);
      this.#attempt += 1;
    }
  }

  async #wait(signal: AbortSignal): Promise<void> {
    if (!this.#hurried) {
      this.#turn += 1;
      this.#hurry = new AbortController();
      const ends = AbortSignal.any([signal, this.#hurry.signal]);
      await sleep(waitBefore(this.#attempt, this.#options), undefined, { signal: ends }).catch(() => undefined);
    }
    this.#hurried = false;
  }

  /** How long the session that ended had stood: one that ends at once, again and again, must not come back at once. */
  #lasted(): number {
    const since = this.#since;
    this.#since = undefined;
    return since === undefined ? 0 : performance.now() - since;
  }

  async #connectOnce(signal: AbortSignal): Promise<void> {
    try {
      // Loaded only now: a gateway shows its page before it turns to its broker.
      const { openClient } = await import('./mqtt-client.ts');
      const options = await this.#clientOptions();
      // the client lets credentials in the URL win over the configured ones
      const url = options.username ? this.url : this.#target;
      await this.#oneConnection(openClient(url, options, this.#options.open), signal);
    } catch (error) {
      if (isVersionRefusal(error) && this.#version === 5) {
        this.#version = 4;
        await this.#connectOnce(signal);
      } else if (!signal.aborted) this.#tell(error);
    }
  }

  /** Lives as long as the connection does; rejects with what ended it. */
  async #oneConnection(client: MqttClient, signal: AbortSignal): Promise<void> {
    this.#client = client;
    keepAlive(client);
    const outbox = this.#outboxOf(client);
    this.#outbox = outbox;
    let cause: Error | undefined;
    client.on('error', (error) => void (cause ??= error));
    client.on('connect', () => void this.#established(client));
    const endIntake = takeMessages(client, (topic, payload, packet) =>
      this.#guard(topic, () => this.#options.onMessage(topic, payload, packet.retain, asksOf(packet))),
    );
    this.#endIntake = endIntake;
    const stop = (): void => void this.#end(client);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await new Promise<void>((resolve) => client.once('close', resolve));
    signal.removeEventListener('abort', stop);
    endIntake();
    // what is in flight is given up: `onConnect` publishes the newer state
    outbox.close();
    client.end(true);
    throw cause ?? new Error('connection closed');
  }

  #outboxOf(client: MqttClient): Outbox {
    return new Outbox({
      send: (message, done) => void client.publish(message.topic, message.payload, optionsOf(message), done),
      onIdle: () => this.#guard('connection', () => this.#options.onIdle?.()),
      isBehind: () => isBehind(client),
    });
  }

  async #end(client: MqttClient): Promise<void> {
    this.#endIntake?.();
    // the client's own `end(true)` does nothing where an `end(false)` waits for a broker that does not answer
    const force = setTimeout(() => client.stream.destroy(), STOP_TIMEOUT_MS);
    if (!client.connected) client.end(true);
    else await client.endAsync(false).catch(() => undefined);
    clearTimeout(force);
  }

  async #established(client: MqttClient): Promise<void> {
    this.#since = performance.now();
    if (this.#trouble !== undefined) this.#options.onEvent('broker_connected', 'info', `broker ${this.url}: connected`);
    this.#trouble = undefined;
    await this.#subscriptions.establish(client);
    if (this.#client === client && client.connected) this.#guard('connection', () => this.#options.onConnect());
  }

  async #clientOptions(): Promise<IClientOptions> {
    const { clientId, will } = this.#options;
    const credentials = await readCredentials(this.#options);
    this.#certificate = credentials.cert;
    return {
      protocolVersion: this.#version,
      clientId,
      clean: true,
      keepalive: this.#options.keepaliveS ?? KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      // by default several calls a message into a logger that is off
      log: () => undefined,
      ...credentials,
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
    const { trouble, message } = explain(error, this.url, this.#certificate);
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#options.onEvent(trouble, 'warning', message);
  }
}

function asksOf({ properties }: IPublishPacket): Asks {
  const { responseTopic, correlationData } = properties ?? {};
  return { ...(responseTopic && { responseTopic }), ...(correlationData && { correlation: correlationData }) };
}

function optionsOf({ retain, correlation }: Message): IClientPublishOptions {
  return { qos: 1, retain, ...(correlation && { properties: { correlationData: correlation } }) };
}

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}
