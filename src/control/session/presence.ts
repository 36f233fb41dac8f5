import { setTimeout as sleep } from 'node:timers/promises';
import type { GatewayEvent, GatewayStatus } from '../../model/status.ts';
import type { Vni } from '../../model/vni.ts';
import { type LocalState, Publisher } from '../../peers/publisher.ts';
import type { Epoch } from './epoch.ts';
import { GatewaySession, type GatewaySessionOptions } from './gateway-session.ts';
import type { BrokerAccess } from './session.ts';

const YIELD_MS = 30_000;
/** Between two tries to count a start on a disk that takes nothing. */
const UNCOUNTED_MS = 5000;

export type PresenceOptions = Omit<GatewaySessionOptions, 'publisher' | 'onEpochBehind'> & {
  readonly epoch: Epoch;
  /** what the peers are told; undefined before the first cycle */
  readonly local: () => LocalState | undefined;
  /** the payload of `reported`, as of now */
  readonly reported: () => Buffer;
};

/** This gateway in its fleet: a session on the broker, and after it another where the fleet knows a later epoch. */
export class Presence {
  readonly #options: PresenceOptions;
  #access: Pick<BrokerAccess, 'url' | 'open'>;
  #session: GatewaySession | undefined;
  #raised = false;
  #stopped = false;
  #uncounted: NodeJS.Timeout | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#access = { url: options.mqtt.url };
  }

  get broker(): GatewayStatus['broker'] {
    return { connected: this.#session?.connected ?? false, url: this.#session?.broker ?? this.#access.url };
  }

  get brokerAddress(): string | undefined {
    return this.#session?.brokerAddress;
  }

  /** Begins to connect and returns at once. */
  start(access: Pick<BrokerAccess, 'url' | 'open'>): void {
    this.#access = access;
    this.#connect();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#uncounted);
    await this.#session?.stop();
  }

  /** The way to the broker is another than before: what stands on the old one is given up. */
  renew(): void {
    this.#session?.renew();
  }

  localChanged(): void {
    const local = this.#options.local();
    if (local) this.#session?.setLocal(local);
  }

  /** To be told after each look at the host. */
  hostHas(addresses: ReadonlySet<string>): void {
    this.#session?.hostHas(addresses);
  }

  reportedChanged(): void {
    this.#session?.reportedChanged(this.#options.reported());
  }

  event(event: GatewayEvent): void {
    this.#session?.event(event);
  }

  #connect(): void {
    const { fleet, gateway, clock, mqtt } = this.#options;
    const epoch = this.#options.epoch.take();
    if (epoch === undefined) {
      this.#uncounted = setTimeout(() => this.#connect(), UNCOUNTED_MS);
      return;
    }
    const onTruncated = this.#truncated.bind(this);
    this.#session = new GatewaySession({
      ...this.#options,
      mqtt: { ...mqtt, ...this.#access },
      publisher: new Publisher({ fleet, gateway, epoch, clock, onTruncated }),
      onEpochBehind: (known) => void this.#reconnect(known),
    });
    this.localChanged();
    this.reportedChanged();
    this.#session.start();
  }

  /** The fleet knows a later epoch of this gateway than its own state does (state lost): go beyond it. */
  async #reconnect(known: number): Promise<void> {
    const { epoch, onEvent } = this.#options;
    await this.#session?.stop();
    if (this.#raised) await this.#yieldName();
    if (this.#stopped) return;
    this.#raised = true;
    epoch.raise(known + 1);
    const message = `the fleet knew epoch ${known} of this gateway; going on with ${epoch.current}`;
    onEvent('epoch.raised', 'warning', message);
    this.#connect();
  }

  /** A state is lost once at most; whoever is ahead of us again runs now, and two that chase each other reach nobody. */
  async #yieldName(): Promise<void> {
    const { gateway, onEvent } = this.#options;
    const remedy = 'give each its own `gateway` in its bootstrap file; this one waits half a minute';
    onEvent('gateway.duplicate', 'error', `another gateway runs as ${gateway}; ${remedy}`);
    await sleep(YIELD_MS, undefined, { ref: false });
  }

  #truncated(vni: Vni, kept: number, of: number): void {
    const loss = 'frames to the others are flooded, and elsewhere their names do not resolve';
    const message = `VNI ${vni}: only ${kept} of ${of} workloads and devices fit into the record's pages; ${loss}`;
    this.#options.onEvent('record_truncated', 'warning', message);
  }
}
