import type { EventSink, GatewayEvent } from '../model/status.ts';
import type { Vni } from '../model/vni.ts';
import type { PeerDirectory } from '../peers/directory.ts';
import type { LocalState, Publication, Publisher } from '../peers/publisher.ts';
import type { Clock } from '../service/clock.ts';
import { EventLimit } from './event-limit.ts';
import { OwnEpoch } from './own-epoch.ts';
import { type BrokerAccess, MqttSession } from './session.ts';
import { Timers } from './timers.ts';
import { alivesFilter, formatTopic, parseTopic, recordsFilter } from './topics.ts';

export type GatewaySessionOptions = {
  readonly fleet: string;
  readonly gateway: string;
  readonly mqtt: BrokerAccess;
  readonly directory: PeerDirectory;
  readonly publisher: Publisher;
  readonly clock: Clock;
  /** the payload of our `desired` topic; never empty */
  readonly onDesired: (payload: Buffer) => void;
  /** the fleet knows us with this epoch, not below ours: stop, take a higher one and make a new session and publisher */
  readonly onEpochBehind: (epoch: number) => void;
  readonly onEvent: EventSink;
};

const COALESCE_MS = 200;
const RENEW_CHECK_MS = 3_600_000;
/** How long the first birth waits for what the broker retains on our alive topic (it follows the SUBACK at once). */
const OWN_ALIVE_WAIT_MS = 500;
const REPAIR_MS = [5000, 10_000] as const;
const ASK_AGAIN_MAX = 500;

/** This gateway on the broker: its records out, its peers' in, the desired document in, reports and events out. */
export class GatewaySession {
  readonly #options: GatewaySessionOptions;
  readonly #session: MqttSession;
  readonly #limit: EventLimit;
  readonly #own: OwnEpoch;
  readonly #timers = new Timers();
  #vnis: ReadonlySet<Vni> = new Set();
  #pending: LocalState | undefined;
  #reported: Buffer | undefined;

  constructor(options: GatewaySessionOptions) {
    const { fleet, gateway, mqtt, publisher } = options;
    this.#options = options;
    this.#limit = new EventLimit(options.clock);
    this.#own = new OwnEpoch({ ...options, onOurs: () => this.#publishSnapshot() });
    this.#session = new MqttSession({
      ...mqtt,
      clientId: `linkspan-${fleet}-${gateway}`,
      will: () => ({ topic: this.#aliveTopic, payload: publisher.startSession() }),
      onMessage: (topic, payload) => this.#route(topic, payload),
      onConnect: () => this.#connected(),
      onEvent: options.onEvent,
    });
  }

  get connected(): boolean {
    return this.#session.connected;
  }

  start(): void {
    this.#resubscribe();
    this.#session.start();
    const renew = (): void => {
      this.#publishAll(this.#mayPublish ? this.#options.publisher.renew() : []);
      this.#timers.set('renew', RENEW_CHECK_MS, renew);
    };
    this.#timers.set('renew', RENEW_CHECK_MS, renew);
  }

  /** Says `down` (or `leaving`, which withdraws our records at the peers) and closes the session. */
  async stop(state: 'down' | 'leaving' = 'down'): Promise<void> {
    this.#timers.stop();
    if (this.#mayPublish && this.#options.publisher.ready) this.#publishAll([this.#options.publisher.farewell(state)]);
    await this.#session.stop();
  }

  /** Takes what this gateway has to say; it goes out within 200 ms, changes in between together. */
  setLocal(local: LocalState): void {
    this.#pending = local;
    this.#vnis = new Set(local.networks.map(({ vni }) => vni));
    this.#resubscribe();
    this.#timers.setUnlessRunning('publish', COALESCE_MS, () => this.#flush());
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

  #resubscribe(): void {
    const { fleet, gateway } = this.#options;
    const desired = formatTopic(fleet, { kind: 'desired', gw: gateway });
    // the alives of all include our own: a second filter for that would bring it twice
    this.#session.setSubscriptions([
      desired,
      alivesFilter(fleet),
      ...[...this.#vnis].map((vni) => recordsFilter(fleet, vni)),
    ]);
  }

  #connected(): void {
    this.#options.publisher.sessionOpened();
    if (!this.#own.isKnown) this.#timers.set('own', OWN_ALIVE_WAIT_MS, () => this.#own.assumeOurs());
    this.#publishSnapshot();
    const [min, max] = REPAIR_MS;
    this.#timers.set('repair', min + Math.random() * (max - min), () => {
      this.#session.askAgain(alivesFilter(this.#options.fleet));
      this.#repair();
    });
  }

  #publishSnapshot(): void {
    if (!this.#mayPublish) return;
    this.#publishAll(this.#options.publisher.snapshot());
    this.#flush();
    this.#publishReported();
  }

  #flush(): void {
    // without a connection it waits: the next one begins with a flush
    if (!this.#pending || !this.#mayPublish) return;
    const publications = this.#options.publisher.update(this.#pending);
    this.#pending = undefined;
    this.#publishAll(publications);
  }

  #publishAll(publications: readonly Publication[]): void {
    const { fleet, gateway } = this.#options;
    for (const publication of publications) {
      const topic =
        publication.kind === 'alive'
          ? this.#aliveTopic
          : formatTopic(fleet, { kind: 'record', vni: publication.vni, gw: gateway });
      this.#session.publish(topic, publication.payload, true);
    }
  }

  #publishReported(): void {
    const { fleet, gateway } = this.#options;
    const topic = formatTopic(fleet, { kind: 'reported', gw: gateway });
    if (this.#reported && this.#mayPublish) this.#session.publish(topic, this.#reported, true);
  }

  #route(name: string, payload: Buffer): void {
    const { fleet, gateway, onDesired } = this.#options;
    const topic = parseTopic(fleet, name);
    if (topic?.kind === 'record') this.#routeRecord(topic.vni, topic.gw, payload);
    else if (topic?.kind === 'alive') this.#routeAlive(topic.gw, payload);
    else if (topic?.kind === 'desired' && topic.gw === gateway && payload.length > 0) onDesired(payload);
  }

  #routeRecord(vni: Vni, gw: string, payload: Buffer): void {
    const { fleet, gateway, directory } = this.#options;
    if (gw === gateway) this.#own.receiveRecord(vni, payload);
    else directory.receiveRecord({ fleet, vni, gw }, payload);
  }

  #routeAlive(gw: string, payload: Buffer): void {
    if (gw === this.#options.gateway) return this.#own.receiveAlive(payload);
    if (this.#options.directory.receiveAlive(gw, payload) !== 'accepted') return;
    this.#timers.setUnlessRunning('repair', REPAIR_MS[0], () => this.#repair());
  }

  // brokers drop retained messages behind a wildcard without a word; the manifests tell which
  #repair(): void {
    const { fleet, directory } = this.#options;
    const missing = directory.missing(this.#vnis).slice(0, ASK_AGAIN_MAX);
    for (const { vni, gw } of missing) this.#session.askAgain(formatTopic(fleet, { kind: 'record', vni, gw }));
  }
}
