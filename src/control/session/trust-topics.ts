import type { Vni } from '../../model/vni.ts';
import type { PeerDirectory } from '../../peers/directory.ts';
import type { TrustGate } from '../../trust/gate.ts';
import type { Timers } from './timers.ts';
import { formatTopic, tableFilter } from './topics.ts';

export type TrustTopicsOptions = {
  readonly fleet: string;
  readonly gateway: string;
  readonly gate: TrustGate;
  readonly directory: PeerDirectory;
  readonly timers: Timers;
  readonly vnis: () => ReadonlySet<Vni>;
  /** asks the broker for what it retains on these */
  readonly ask: (topics: readonly string[]) => void;
  /** `topics` may be others now */
  readonly changed: () => void;
};

const PACE_MS = 200;

/**
 * What the fleet's key says of the gateways that concern us. What they had published before they were vouched for was
 * refused, so it is asked for again; and of whom is trusted no more all is forgotten at once.
 */
export class TrustTopics {
  readonly #options: TrustTopicsOptions;
  readonly #news = new Set<string>();

  constructor(options: TrustTopicsOptions) {
    this.#options = options;
  }

  /** To be subscribed to before records, which are believed by them. */
  get topics(): readonly string[] {
    const { fleet, gate } = this.#options;
    return gate.followed.map((gw) => formatTopic(fleet, { kind: 'trust', gw }));
  }

  /** Takes the payload of a gateway's trust topic. */
  received(gw: string, topic: string, payload: Buffer): void {
    const { gate, gateway, directory, timers } = this.#options;
    if (!gate.receiveTrust(gw, topic, payload) || gw === gateway) return;
    directory.recheck(gw);
    this.#news.add(gw);
    timers.setUnlessRunning('trust news', PACE_MS, () => this.#askForNews());
  }

  /** Something was refused: it may be of a gateway that nobody has vouched for yet. */
  refused(): void {
    const { timers, changed } = this.#options;
    timers.setUnlessRunning('trust topics', PACE_MS, changed);
  }

  #askForNews(): void {
    const { fleet, vnis, ask } = this.#options;
    const gateways = [...this.#news];
    const alives = gateways.map((gw) => formatTopic(fleet, { kind: 'alive', gw }));
    const tables = gateways.flatMap((gw) => [...vnis()].map((vni) => tableFilter(fleet, vni, gw)));
    this.#news.clear();
    ask([...alives, ...tables]);
  }
}
