import type { EventSink } from '../model/status.ts';
import { MAX_PAYLOAD } from '../peers/parse.ts';
import { messageOf } from '../service/errors.ts';
import type { PublicKey } from './key.ts';
import { isEnvelope, isSignedBy, parseEnvelope } from './envelope.ts';
import { parseTrustRecord, type TrustRecord } from './trust-record.ts';

/** What survives a restart: the newest trust record of each gateway, by the fleet's key that signed it. */
export interface TrustStore {
  load(fleetKey: string): readonly { readonly gw: string; readonly body: string }[];
  /** keeps the record's payload in place of the gateway's older one */
  save(fleetKey: string, gw: string, body: string): void;
}

export type RosterOptions = {
  readonly fleet: string;
  readonly fleetKey: PublicKey;
  readonly store: TrustStore;
  readonly onEvent: EventSink;
};

/** What became of a trust record: taken, the one that is here already, or why it is refused. */
export type TrustOutcome = 'accepted' | 'known' | 'unsigned' | 'malformed' | 'foreign' | 'forged' | 'stale' | 'full';

/** A broker that lies could name gateways without an end; each here was signed by the fleet's key. */
const MAX_GATEWAYS = 20_000;

/**
 * Whom the fleet's key vouches for. The newest record of a gateway holds for good, over restarts and whatever the broker
 * shows later: so neither an erasure nor a backup of the broker's gives a revoked gateway back.
 */
export class Roster {
  readonly #options: RosterOptions;
  readonly #records = new Map<string, TrustRecord>();
  readonly #bodies = new Map<string, Buffer>();
  /** gateways whose newest record is not stored */
  readonly #unsaved = new Set<string>();

  constructor(options: RosterOptions) {
    this.#options = options;
    const { fleet, fleetKey, store } = options;
    for (const { gw, body } of store.load(fleetKey.text)) {
      const payload = Buffer.from(body);
      const parsed = parseTrustRecord(payload, { fleet, gw });
      if (parsed.ok) this.#hold(gw, parsed.value, payload);
    }
  }

  get gateways(): readonly string[] {
    return [...this.#records.keys()];
  }

  of(gw: string): TrustRecord | undefined {
    return this.#records.get(gw);
  }

  /** Takes what the broker shows on a gateway's trust topic. */
  receive(gw: string, topic: string, bytes: Uint8Array): TrustOutcome {
    const { fleet, fleetKey } = this.#options;
    const envelope = parseEnvelope(bytes, MAX_PAYLOAD);
    if (envelope === 'malformed') return 'malformed';
    if (!isEnvelope(envelope)) return 'unsigned';
    if (envelope.keyId !== fleetKey.id) return 'foreign';
    // what is here already was checked when it came: a fleet's start shows each gateway hundreds of them
    if (this.#bodies.get(gw)?.equals(envelope.payload)) {
      if (this.#unsaved.has(gw)) this.#save(gw, envelope.payload);
      return 'known';
    }
    if (!isSignedBy(fleetKey, topic, envelope)) return 'forged';
    const parsed = parseTrustRecord(envelope.payload, { fleet, gw });
    if (!parsed.ok) return 'malformed';
    const before = this.#records.get(gw);
    if (before && parsed.value.serial <= before.serial)
      return parsed.value.serial === before.serial ? 'known' : 'stale';
    if (!before && this.#records.size >= MAX_GATEWAYS) return 'full';
    this.#hold(gw, parsed.value, envelope.payload);
    this.#save(gw, envelope.payload);
    return 'accepted';
  }

  /** A revocation holds with a full disk, too; it is stored when the broker shows it again. */
  #save(gw: string, payload: Buffer): void {
    const { fleetKey, store, onEvent } = this.#options;
    try {
      store.save(fleetKey.text, gw, payload.toString());
      this.#unsaved.delete(gw);
    } catch (error) {
      const what = `what the fleet's key says of gateway ${gw} holds until this service ends, and is not stored`;
      const remedy = 'free some space: it is when the broker gives it again';
      if (this.#unsaved.size === 0) onEvent('state.unwritable', 'error', `${what} (${messageOf(error)}); ${remedy}`);
      this.#unsaved.add(gw);
    }
  }

  #hold(gw: string, record: TrustRecord, payload: Buffer): void {
    this.#records.set(gw, record);
    this.#bodies.set(gw, payload);
  }
}
