import type { EventSink, GatewayEvent } from '../model/status.ts';
import type { Vni } from '../model/vni.ts';
import type { PeerDirectory } from '../peers/directory.ts';
import { parseAlive } from '../peers/alive.ts';
import { EPOCH_FOLLOWED_MAX } from '../peers/order.ts';
import { parseRecord } from '../peers/record.ts';
import type { LocalState, Publication, Publisher } from '../peers/publisher.ts';
import type { Clock } from '../service/clock.ts';
import { EventLimit } from './event-limit.ts';
import { MqttSession, type SessionOptions } from './session.ts';
import { alivesFilter, formatTopic, parseTopic, recordsFilter } from './topics.ts';

export type GatewaySessionOptions = {
  readonly fleet: string;
  readonly gateway: string;
  readonly mqtt: Pick<
    SessionOptions,
    'url' | 'username' | 'passwordFile' | 'ca' | 'cert' | 'key' | 'backoffMs' | 'random'
  >;
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
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #vnis: ReadonlySet<Vni> = new Set();
  #pending: LocalState | undefined;
  #reported: Buffer | undefined;
  #stopped = false;
  #ownAlive: 'unknown' | 'ours' | 'behind' = 'unknown';

  constructor(options: GatewaySessionOptions) {
    const { fleet, gateway, mqtt, publisher } = options;
    this.#options = options;
    this.#limit = new EventLimit(options.clock);
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
      this.#after('renew', RENEW_CHECK_MS, renew);
    };
    this.#after('renew', RENEW_CHECK_MS, renew);
  }

  /** Says `down` (or `leaving`, which withdraws our records at the peers) and closes the session. */
  async stop(state: 'down' | 'leaving' = 'down'): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    if (this.#mayPublish && this.#options.publisher.ready) this.#publishAll([this.#options.publisher.farewell(state)]);
    this.#stopped = true;
    await this.#session.stop();
  }

  /** Takes what this gateway has to say; it goes out within 200 ms, changes in between together. */
  setLocal(local: LocalState): void {
    this.#pending = local;
    this.#vnis = new Set(local.networks.map(({ vni }) => vni));
    this.#resubscribe();
    this.#after('publish', COALESCE_MS, () => this.#flush(), false);
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
    return this.#session.connected && this.#ownAlive === 'ours';
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
    if (this.#ownAlive === 'unknown') this.#after('own', OWN_ALIVE_WAIT_MS, () => this.#ownAliveKnown());
    this.#publishSnapshot();
    const [min, max] = REPAIR_MS;
    this.#after('repair', min + Math.random() * (max - min), () => {
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
    const { fleet, gateway, publisher, directory } = this.#options;
    if (gw !== gateway) return void directory.receiveRecord({ fleet, vni, gw }, payload);
    const parsed = parseRecord(payload, { fleet, vni, gw });
    if (parsed.ok && parsed.value.epoch > publisher.epoch) this.#behind(parsed.value.epoch);
  }

  #routeAlive(gw: string, payload: Buffer): void {
    if (gw === this.#options.gateway) return this.#checkOwn(payload);
    if (this.#options.directory.receiveAlive(gw, payload) !== 'accepted') return;
    this.#after('repair', REPAIR_MS[0], () => this.#repair(), false);
  }

  // a gateway whose database was lost counts its epochs from 1 again, and its peers would take nothing from it
  #checkOwn(payload: Buffer): void {
    const { gateway, publisher } = this.#options;
    const parsed = parseAlive(payload, gateway);
    const behind = parsed.ok && parsed.value.epoch >= publisher.epoch && !publisher.isOwnAlive(payload);
    if (!behind || !this.#behind(parsed.value.epoch)) this.#ownAliveKnown();
  }

  /** Whether this session ends for a higher epoch; an epoch that no gateway can have reached is told and not followed. */
  #behind(epoch: number): boolean {
    if (epoch > EPOCH_FOLLOWED_MAX) {
      const remedy = "somebody else writes there: mend the broker's access rules, then erase the retained message";
      this.#options.onEvent(
        'epoch_forged',
        'error',
        `epoch ${epoch} on this gateway's own topics is forged; ${remedy}`,
      );
      return false;
    }
    if (this.#ownAlive !== 'behind') this.#options.onEpochBehind(epoch);
    this.#ownAlive = 'behind';
    return true;
  }

  #ownAliveKnown(): void {
    if (this.#ownAlive !== 'unknown') return;
    this.#ownAlive = 'ours';
    this.#publishSnapshot();
  }

  // brokers drop retained messages behind a wildcard without a word; the manifests tell which
  #repair(): void {
    const { fleet, directory } = this.#options;
    const missing = directory.missing(this.#vnis).slice(0, ASK_AGAIN_MAX);
    for (const { vni, gw } of missing) this.#session.askAgain(formatTopic(fleet, { kind: 'record', vni, gw }));
  }

  /** Sets the timer of that name; one that runs is replaced, or kept where `replace` is false. */
  #after(name: string, ms: number, act: () => void, replace = true): void {
    const running = this.#timers.get(name);
    if (this.#stopped || (running && !replace)) return;
    clearTimeout(running);
    const fire = (): void => {
      this.#timers.delete(name);
      act();
    };
    this.#timers.set(name, setTimeout(fire, ms));
  }
}
