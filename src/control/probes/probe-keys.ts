import { randomBytes } from 'node:crypto';
import type { ProbeKeys } from '../../model/guards.ts';
import type { Clock } from '../../service/clock.ts';

const KEY_BYTES = 8;
const RENEWED_MS = 60_000;

/**
 * The keys of this gateway's loop probes, new with each start. While there is a loop, others hear them by it, who could
 * send them on once it is gone and so keep this gateway cut off: so they do not last.
 */
export class RenewedKeys {
  readonly #clock: Clock;
  #keys: ProbeKeys = { key: randomBytes(KEY_BYTES), former: undefined };
  #since: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  get keys(): ProbeKeys {
    return this.#keys;
  }

  /** Whether there is a new one: once a minute while a loop is cut. The former one is known for as long again. */
  renew(cut: boolean): boolean {
    const now = this.#clock.monotonic();
    if (!cut || now - this.#since < RENEWED_MS) return false;
    this.#keys = { key: randomBytes(KEY_BYTES), former: this.#keys.key };
    this.#since = now;
    return true;
  }
}
