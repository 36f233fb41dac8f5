import type { EventSink, GatewayEvent } from '../../model/status.ts';
import type { Vni } from '../../model/vni.ts';
import type { Outcome, PeerDirectory } from '../../peers/directory.ts';
import type { LocalState, Publication, Publisher } from '../../peers/publisher.ts';
import type { Clock } from '../../service/clock.ts';
import type { Opened, TrustGate } from '../../trust/gate.ts';
import { EventLimit } from './event-limit.ts';
import { Lull } from './lull.ts';
import { Members } from './members.ts';
import { OwnEpoch } from './own-epoch.ts';
import { OwnTopics } from './own-topics.ts';
import { Repair } from './repair.ts';
import { type Asks, type BrokerAccess, MqttSession } from './session.ts';
import { Timers } from './timers.ts';
import { TrustTopics } from './trust-topics.ts';
import {
  answerTopic,
  formatTopic,
  type OwnedTopic,
  parseTopic,
  recordsFilter,
  requestsFilter,
  type Topic,
} from './topics.ts';

export type GatewaySessionOptions = {
  readonly fleet: string;
  readonly gateway: string;
  readonly mqtt: BrokerAccess;
  readonly directory: PeerDirectory;
  readonly publisher: Publisher;
  /** signs what goes out, and checks what comes in */
  readonly trust: TrustGate;
  readonly clock: Clock;
  /** the payload of our `desired` topic; never empty */
  readonly onDesired: (payload: Buffer) => void;
  /** answers a request over the broker; undefined: there is no answer. Never rejects */
  readonly onRequest: (id: string, payload: Buffer, retained: boolean) => Promise<Buffer | undefined>;
  /** the fleet knows us with this epoch, not below ours: stop, take a higher one and make a new session and publisher */
  readonly onEpochBehind: (epoch: number) => void;
  readonly onEvent: EventSink;
  /** whether the wall clock is synchronised: only then does a lease end */
  readonly clockIsRight: () => boolean;
};

const COALESCE_MS = 200;
/** Larger than any document or request that is read, with whose own limits come better words. */
const ORDER_MAX = 4 * 1024 * 1024;
const RENEW_CHECK_MS = 3_600_000;
/** How long the first birth waits for what the broker retains on our alive topic (it follows the SUBACK at once). */
const OWN_ALIVE_WAIT_MS = 500;

/** This gateway on the broker: its records out, its peers' in, the desired document in, reports and events out. */
export class GatewaySession {
  readonly #options: GatewaySessionOptions;
  readonly #session: MqttSession;
  readonly #limit: EventLimit;
  readonly #own: OwnEpoch;
  readonly #ownTopics: OwnTopics;
  readonly #repair: Repair;
  readonly #members: Members;
  readonly #trustTopics: TrustTopics;
  readonly #timers = new Timers();
  readonly #lull: Lull;
  #vnis: ReadonlySet<Vni> = new Set();
  #pending: LocalState | undefined;
  /** when something was last published because the local state had changed, monotonic milliseconds */
  #flushed = Number.NEGATIVE_INFINITY;
  #reported: Buffer | undefined;

  constructor(options: GatewaySessionOptions) {
    const { fleet, gateway, mqtt, directory } = options;
    const timers = this.#timers;
    this.#options = options;
    this.#lull = new Lull(timers, options.clock, () => this.#session.isBehind);
    this.#limit = new EventLimit(options.clock);
    this.#own = new OwnEpoch({ ...options, onOurs: () => this.#publishSnapshot() });
    this.#ownTopics = new OwnTopics({
      ...options,
      timers,
      lull: this.#lull,
      mayRepeat: () => this.#mayPublish && !this.#pending && this.#session.isIdle,
      repeat: (topic, payload) => this.#publishSealed(topic, payload),
      heal: (topic) => this.#heal(topic),
    });
    this.#members = new Members(
      timers,
      this.#lull,
      () => directory.membersOf(this.#vnis),
      () => this.#resubscribe(),
    );
    this.#repair = new Repair({
      timers,
      lull: this.#lull,
      everything: () => [...this.#retainedOrders, ...this.#shared],
      onAudit: () => this.#ownTopics.doubt(),
      missing: () => directory.missing(this.#vnis),
      topicOf: (missing) => formatTopic(fleet, { kind: 'record', ...missing }),
      ask: (topics) => this.#session.askAgain(topics),
    });
    this.#trustTopics = new TrustTopics({
      ...options,
      timers,
      gate: options.trust,
      vnis: () => this.#vnis,
      ask: (topics) => this.#repair.ask(topics),
      changed: () => this.#resubscribe(),
    });
    this.#session = new MqttSession({
      ...mqtt,
      clientId: `linkspan-${fleet}-${gateway}`,
      will: () => this.#startConnection(),
      onMessage: (...message) => this.#route(...message),
      onConnect: () => this.#connected(),
      onIdle: () => this.#flushOrWait(),
      onEvent: options.onEvent,
    });
  }

  get connected(): boolean {
    return this.#session.connected;
  }

  get brokerAddress(): string | undefined {
    return this.#session.brokerAddress;
  }

  /** The broker that it is connected to, or tries to be. */
  get broker(): string {
    return this.#session.url;
  }

  start(): void {
    this.#resubscribe();
    this.#session.start();
    const renew = (): void => {
      this.#publishAll(this.#mayPublish ? this.#options.publisher.renew() : []);
      if (this.#options.clockIsRight()) this.#options.directory.expire();
      this.#timers.set('renew', RENEW_CHECK_MS, renew);
    };
    this.#timers.set('renew', RENEW_CHECK_MS, renew);
  }

  /** Says `down` (or `leaving`, which withdraws our records at the peers) and closes the session. */
  async stop(state: 'down' | 'leaving' = 'down'): Promise<void> {
    const { publisher, trust } = this.#options;
    this.#timers.stop();
    if (this.#mayPublish && publisher.ready) {
      const { payload } = publisher.farewell(state);
      this.#session.publishLast(this.#aliveTopic, trust.seal(this.#aliveTopic, payload));
    }
    await this.#session.stop();
  }

  renew(): void {
    this.#session.renew();
  }

  /**
   * Takes what this gateway has to say; a first change goes out at once, those of the next 200 ms together, and those that
   * come before the broker has confirmed the last ones together after that.
   */
  setLocal(local: LocalState): void {
    this.#pending = local;
    this.#vnis = new Set(local.networks.map(({ vni }) => vni));
    this.#resubscribe();
    this.#members.look();
    this.#flushOrWait();
  }

  /** Tells the addresses that the host has now. */
  hostHas(addresses: ReadonlySet<string>): void {
    this.#session.hostHas(addresses);
  }

  /** Publishes the payload of `reported` where it is another than before, and again on every later connection. */
  reportedChanged(payload: Buffer): void {
    if (this.#reported?.equals(payload)) return;
    this.#reported = payload;
    this.#publishReported();
  }

  /** Publishes an event, where the limit of events and the connection allow. */
  event(event: GatewayEvent): void {
    const { fleet, gateway } = this.#options;
    const payload = this.#session.connected ? this.#limit.admit(event) : undefined;
    if (payload) this.#session.publish(formatTopic(fleet, { kind: 'event', gw: gateway }), payload, false);
  }

  get #aliveTopic(): string {
    return formatTopic(this.#options.fleet, { kind: 'alive', gw: this.#options.gateway });
  }

  get #mayPublish(): boolean {
    return this.#session.connected && this.#own.isOurs;
  }

  /** What a whole view of the fleet comes by, our own topics in it too. */
  get #shared(): readonly string[] {
    const { fleet } = this.#options;
    const alives = this.#members.gateways.map((gw) => formatTopic(fleet, { kind: 'alive', gw }));
    return [this.#aliveTopic, ...[...this.#vnis].map((vni) => recordsFilter(fleet, vni)), ...alives];
  }

  /** What is retained for this gateway and no manifest lists. */
  get #retainedOrders(): readonly string[] {
    const { fleet, gateway } = this.#options;
    return [...this.#trustTopics.topics, formatTopic(fleet, { kind: 'desired', gw: gateway })];
  }

  #resubscribe(): void {
    const { fleet, gateway } = this.#options;
    // Of state the newest counts, and what is lost the manifests show: at QoS 1 an answer to each would be half the work.
    const state = this.#shared.map((topic) => [topic, 0] as const);
    const sure = [...this.#retainedOrders, requestsFilter(fleet, gateway)].map((topic) => [topic, 1] as const);
    this.#session.setSubscriptions(new Map([...sure, ...state]));
  }

  /** Of a connection about to be made, its will. */
  #startConnection(): { readonly topic: string; readonly payload: Buffer } {
    this.#members.pause();
    this.#resubscribe();
    const { trust, publisher } = this.#options;
    return { topic: this.#aliveTopic, payload: trust.seal(this.#aliveTopic, publisher.startSession()) };
  }

  #connected(): void {
    this.#options.publisher.sessionOpened();
    if (!this.#own.isKnown) this.#timers.set('own', OWN_ALIVE_WAIT_MS, () => this.#own.assumeOurs());
    this.#publishSnapshot();
    this.#members.resume();
    this.#repair.audit();
  }

  #publishSnapshot(): void {
    if (!this.#mayPublish) return;
    // what has changed meanwhile is in it
    if (this.#pending) this.#options.publisher.update(this.#pending);
    this.#pending = undefined;
    this.#flushed = this.#options.clock.monotonic();
    this.#publishAll(this.#options.publisher.snapshot());
    this.#publishReported();
  }

  #flushOrWait(): void {
    const wait = this.#flushed + COALESCE_MS - this.#options.clock.monotonic();
    if (wait <= 0) this.#flush();
    else if (this.#pending) this.#timers.setUnlessRunning('publish', wait, () => this.#flush());
  }

  #flush(): void {
    // without a connection it waits for the next one, which begins with all; with one that is full, until it is idle
    if (!this.#pending || !this.#mayPublish || !this.#session.isIdle) return;
    const publications = this.#options.publisher.update(this.#pending);
    this.#pending = undefined;
    if (publications.length > 0) this.#flushed = this.#options.clock.monotonic();
    this.#publishAll(publications);
  }

  #publishAll(publications: readonly Publication[]): void {
    const { fleet, gateway } = this.#options;
    for (const publication of publications) {
      const topic =
        publication.kind === 'alive'
          ? this.#aliveTopic
          : formatTopic(fleet, { kind: 'record', vni: publication.vni, gw: gateway, page: publication.page });
      this.#publishOwn(topic, publication.payload);
    }
  }

  #publishOwn(topic: string, payload: Buffer): void {
    this.#publishSealed(topic, payload);
    this.#ownTopics.published(topic, payload);
  }

  #publishSealed(topic: string, payload: Buffer): void {
    this.#session.publish(topic, this.#options.trust.seal(topic, payload), true);
  }

  #heal(name: string): void {
    const { fleet, publisher } = this.#options;
    const topic = parseTopic(fleet, name);
    if (!this.#mayPublish || !publisher.ready || !topic) return;
    const anew = topic.kind === 'record' ? publisher.reissue(topic.vni) : publisher.rebirth();
    this.#publishAll(anew);
    // of a table with fewer pages than an earlier run's, say
    if (topic.kind === 'record' && !anew.some((one) => isPage(one, topic))) this.#publishOwn(name, Buffer.alloc(0));
  }

  #publishReported(): void {
    const { fleet, gateway } = this.#options;
    const topic = formatTopic(fleet, { kind: 'reported', gw: gateway });
    if (this.#reported && this.#mayPublish) this.#session.publish(topic, this.#reported, true);
  }

  #route(name: string, bytes: Buffer, retained: boolean, asks: Asks): void {
    const { fleet, gateway, trust } = this.#options;
    const topic = parseTopic(fleet, name);
    if (topic === undefined) return;
    if (topic.kind === 'trust') this.#trustTopics.received(topic.gw, name, bytes);
    else if (topic.kind === 'record' || topic.kind === 'alive') {
      if (topic.gw === gateway) this.#routeOwn(topic, name, trust.openOwn(name, bytes));
      else this.#routePeer(topic, name, bytes, retained);
    } else if (topic.gw === gateway) this.#routeOrder(topic, name, bytes, retained, asks);
  }

  /** A document or a request. Those on the control socket come another way, and need no signature. */
  #routeOrder(topic: Topic, name: string, bytes: Buffer, retained: boolean, asks: Asks): void {
    const { trust, onDesired } = this.#options;
    if (bytes.length === 0 || (topic.kind !== 'desired' && topic.kind !== 'rpc_req')) return;
    const payload = trust.openOrder(name, bytes, ORDER_MAX);
    if (payload === undefined) return;
    if (topic.kind === 'desired') onDesired(payload);
    else void this.#answer(topic.id, payload, retained, asks);
  }

  async #answer(id: string, payload: Buffer, retained: boolean, asks: Asks): Promise<void> {
    const { fleet, gateway, onRequest } = this.#options;
    const answer = await onRequest(id, payload, retained);
    if (answer)
      this.#session.publish(answerTopic(fleet, gateway, id, asks.responseTopic), answer, false, asks.correlation);
  }

  #routeOwn(topic: OwnedTopic, name: string, payload: Buffer): void {
    this.#ownTopics.received(name, payload);
    if (topic.kind !== 'record') this.#own.receiveAlive(payload);
    else if (topic.page === 0) this.#own.receiveRecord(topic.vni, payload);
  }

  #routePeer(topic: OwnedTopic, name: string, bytes: Buffer, retained: boolean): void {
    const opened = this.#options.trust.openPeer({ ...topic, topic: name }, bytes);
    if (opened) {
      this.#received(topic.gw, this.#take(topic, opened), retained);
      return;
    }
    this.#trustTopics.refused();
    if (!retained) this.#repair.audit();
  }

  #take(topic: OwnedTopic, opened: Opened): Outcome {
    const { fleet, directory } = this.#options;
    const { payload } = opened;
    if (topic.kind !== 'record') return directory.receiveAlive(topic.gw, payload, opened);
    if (topic.page === 0) return directory.receiveRecord({ fleet, ...topic }, payload, opened);
    return directory.receivePage({ fleet, ...topic }, payload, opened);
  }

  #received(gw: string, outcome: Outcome, retained: boolean): void {
    if (outcome === 'accepted' || outcome === 'incomplete') {
      this.#lull.heard();
      this.#repair.check();
      if (!this.#members.has(gw)) this.#members.look();
      // what the broker had kept may be old; what comes live is old only where somebody or something replays
    } else if (!retained && outcome !== 'known') this.#repair.audit();
  }
}

function isPage(publication: Publication, { vni, page }: { readonly vni: Vni; readonly page: number }): boolean {
  return publication.kind === 'record' && publication.vni === vni && publication.page === page;
}
