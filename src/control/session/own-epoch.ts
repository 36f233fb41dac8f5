import type { EventSink } from '../../model/status.ts';
import type { Vni } from '../../model/vni.ts';
import { parseAlive } from '../../peers/alive.ts';
import { EPOCH_FOLLOWED_MAX } from '../../peers/order.ts';
import type { Publisher } from '../../peers/publisher.ts';
import { parseRecord } from '../../peers/record.ts';

export type OwnEpochOptions = {
  readonly fleet: string;
  readonly gateway: string;
  readonly publisher: Publisher;
  /** nobody is ahead of us: we may publish */
  readonly onOurs: () => void;
  /** the fleet knows us with this epoch, not below ours */
  readonly onEpochBehind: (epoch: number) => void;
  readonly onEvent: EventSink;
};

/**
 * Reads what the broker retains of this gateway itself, before anything is published over it. A gateway whose database
 * was lost counts its epochs from 1 again, and its peers would take nothing from it.
 */
export class OwnEpoch {
  readonly #options: OwnEpochOptions;
  #state: 'unknown' | 'ours' | 'behind' = 'unknown';

  constructor(options: OwnEpochOptions) {
    this.#options = options;
  }

  get isKnown(): boolean {
    return this.#state !== 'unknown';
  }

  /** Whether we may publish. */
  get isOurs(): boolean {
    return this.#state === 'ours';
  }

  /** Nothing came that speaks against it. */
  assumeOurs(): void {
    if (this.isKnown) return;
    this.#state = 'ours';
    this.#options.onOurs();
  }

  /** Takes the payload of our own alive topic. */
  receiveAlive(payload: Buffer): void {
    const { gateway, publisher } = this.#options;
    const parsed = parseAlive(payload, gateway);
    const behind = parsed.ok && parsed.value.epoch >= publisher.epoch && !publisher.isOwnAlive(payload);
    if (!behind || !this.#follow(parsed.value.epoch)) this.assumeOurs();
  }

  /** Takes the payload of our own record's topic. */
  receiveRecord(vni: Vni, payload: Buffer): void {
    const { fleet, gateway, publisher } = this.#options;
    const parsed = parseRecord(payload, { fleet, vni, gw: gateway });
    if (!parsed.ok) return;
    const { epoch, seq } = parsed.value;
    // within our own epoch only a higher one outdoes a number that we have not given out yet
    if (epoch > publisher.epoch || (epoch === publisher.epoch && seq > publisher.seq)) this.#follow(epoch);
  }

  /** Whether the session ends for a higher epoch; one that no gateway can have reached is told and not followed. */
  #follow(epoch: number): boolean {
    const { onEvent, onEpochBehind } = this.#options;
    if (epoch > EPOCH_FOLLOWED_MAX) {
      const remedy = "somebody else writes there: mend the broker's access rules, then erase the retained message";
      onEvent('epoch_forged', 'error', `epoch ${epoch} on this gateway's own topics is forged; ${remedy}`);
      return false;
    }
    if (this.#state !== 'behind') onEpochBehind(epoch);
    this.#state = 'behind';
    return true;
  }
}
