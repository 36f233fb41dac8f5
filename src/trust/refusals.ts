import type { EventSink, TrustRefusal } from '../model/status.ts';
import type { Clock } from '../service/clock.ts';
import { TokenBucket } from '../service/token-bucket.ts';

/** Why what somebody published is not what its topic's owner says. */
export type RefusalReason = TrustRefusal['reason'];

const WORDS: Readonly<Record<RefusalReason, string>> = {
  unsigned: 'it is not signed',
  malformed: 'its envelope cannot be read',
  unknown: "the fleet's key vouches for no such gateway",
  revoked: 'the gateway is revoked',
  foreign: "it is signed with another key than the owner's",
  forged: 'its signature is not one of these bytes on this topic',
  vni: 'the gateway may not be in this VNI',
  stale: 'a newer one was here before',
  full: 'there are too many gateways',
};

/** Names that a liar invents must not fill the memory. */
const MAX_GATEWAYS = 256;

/** What was refused, by gateway, for the operator: each news is told once, and not more often than a person reads. */
export class Refusals {
  readonly #event: EventSink;
  readonly #clock: Clock;
  readonly #bucket: TokenBucket;
  readonly #gateways = new Map<string, { reason: RefusalReason; count: number; at: number }>();
  readonly #counts = new Map<RefusalReason, number>();

  constructor(event: EventSink, clock: Clock) {
    this.#event = event;
    this.#clock = clock;
    this.#bucket = new TokenBucket({ burst: 10, perSecond: 0.2 }, clock);
  }

  /** @param taken whether it was taken all the same, for now */
  add(gw: string, topic: string, reason: RefusalReason, taken = false): void {
    const before = this.#gateways.get(gw);
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    this.#gateways.delete(gw);
    this.#gateways.set(gw, { reason, count: (before?.count ?? 0) + 1, at: this.#clock.monotonic() });
    const oldest = this.#gateways.size > MAX_GATEWAYS ? this.#gateways.keys().next().value : undefined;
    if (oldest !== undefined) this.#gateways.delete(oldest);
    if (before?.reason === reason || !this.#bucket.take()) return;
    const so = taken ? 'is taken all the same, by the policy warn' : 'is refused';
    this.#event('trust_refused', 'warning', `${topic} ${so}: ${WORDS[reason]}`);
  }

  /** What that gateway says is taken again: a later refusal is news. */
  settle(gw: string): void {
    this.#gateways.delete(gw);
  }

  get gateways(): readonly TrustRefusal[] {
    const now = this.#clock.monotonic();
    return [...this.#gateways].map(([gateway, { reason, count, at }]) => {
      return { gateway, reason, count, last_s: Math.round((now - at) / 1000) };
    });
  }

  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
