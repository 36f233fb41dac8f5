import { hash } from 'node:crypto';
import { type Envelope, isSignedBy } from './envelope.ts';
import type { PublicKey } from './key.ts';

/** A gateway that is trusted may still publish pages without an end. */
const MAX_TOPICS = 20_000;

/**
 * Checks signatures, which is most of what a signed message costs. A broker gives the same bytes again and again (after
 * each connection everything is asked for once more): those that were found good on a topic last are known by their hash.
 */
export class CheckedSignatures {
  readonly #check: typeof isSignedBy;
  readonly #good = new Map<string, string>();

  constructor(check = isSignedBy) {
    this.#check = check;
  }

  /** Whether the key's holder has signed this payload for this topic. */
  isSignedBy(key: PublicKey, topic: string, envelope: Envelope): boolean {
    if (envelope.keyId !== key.id) return false;
    const mark = hash('sha256', Buffer.concat([Buffer.from(key.text), envelope.signature, envelope.payload]), 'base64');
    if (this.#good.get(topic) === mark) return true;
    if (!this.#check(key, topic, envelope)) return false;
    // anew, so that the oldest is the first
    this.#good.delete(topic);
    this.#good.set(topic, mark);
    const oldest = this.#good.size > MAX_TOPICS ? this.#good.keys().next().value : undefined;
    if (oldest !== undefined) this.#good.delete(oldest);
    return true;
  }
}
