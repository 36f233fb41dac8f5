import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventSink } from '../../../src/model/status.ts';
import { systemClock } from '../../../src/service/clock.ts';
import { seal } from '../../../src/trust/envelope.ts';
import { TrustGate, type TrustPolicy } from '../../../src/trust/gate.ts';
import { makeSigningKey, parseSigningKey, type SigningKey } from '../../../src/trust/key.ts';
import type { TrustStore } from '../../../src/trust/roster.ts';
import { encodeTrustRecord, type TrustRecord } from '../../../src/trust/trust-record.ts';
import type { VniRanges } from '../../../src/trust/vni-ranges.ts';

export type Vectors = {
  readonly keys: Readonly<Record<string, { readonly seed: string; readonly public: string; readonly id: string }>>;
  readonly envelopes: readonly {
    readonly what: string;
    readonly signer: string;
    readonly topic: string;
    readonly payload: string;
    readonly signature: string;
    readonly envelope: string;
  }[];
  readonly refusals_from_gw_a: readonly {
    readonly what: string;
    readonly reason: string;
    readonly topic: string;
    readonly bytes: string;
  }[];
};

const FILE = join(import.meta.dirname, '../../vectors/signatures.json');
export const vectors = JSON.parse(readFileSync(FILE, 'utf8')) as Vectors;

/** Everything of a PKCS #8 Ed25519 key before its 32 bytes (RFC 8410 section 7). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

export function keyOfSeed(seed: string): SigningKey {
  const der = Buffer.concat([PKCS8, Buffer.from(seed, 'hex')]);
  const pem = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' });
  const key = parseSigningKey(pem.toString());
  if (!key) throw new Error(`${seed} is no seed`);
  return key;
}

/** What gates keep, in memory: for another gate, as after a restart. */
export class MemoryTrust implements TrustStore {
  readonly rows = new Map<string, { key: string; gw: string; body: string }>();
  load = (key: string): { gw: string; body: string }[] => [...this.rows.values()].filter((row) => row.key === key);
  save = (key: string, gw: string, body: string): void => void this.rows.set(`${key} ${gw}`, { key, gw, body });
}

/** A fleet's owner: the key, and what is published with it. */
export class FleetOwner {
  readonly key = makeSigningKey();
  readonly fleet: string;
  #serial = 0;

  constructor(fleet = 'plant') {
    this.fleet = fleet;
  }

  enrol(gw: string, key: SigningKey, vnis: VniRanges = 'all'): Statement {
    return this.#say(gw, { key: key.public, vnis });
  }

  revoke(gw: string): Statement {
    return this.#say(gw, 'revoked');
  }

  #say(gw: string, grant: TrustRecord['grant']): Statement {
    this.#serial += 1;
    const record = { fleet: this.fleet, gw, serial: this.#serial, iat: 0, grant };
    const topic = `linkspan/v1/${this.fleet}/trust/${gw}`;
    return { gw, topic, payload: seal(this.key, topic, encodeTrustRecord(record)) };
  }
}

export type Statement = { readonly gw: string; readonly topic: string; readonly payload: Buffer };

export type GateOptions = {
  readonly gateway?: string;
  readonly policy?: TrustPolicy;
  readonly key?: SigningKey;
  readonly store?: TrustStore;
  readonly onEvent?: EventSink;
};

/** A gate of a fleet with that owner; `require` unless said otherwise. */
export function gateOf(owner: FleetOwner, options: GateOptions = {}): TrustGate {
  return new TrustGate({
    fleet: owner.fleet,
    gateway: 'gw-a',
    policy: 'require',
    key: makeSigningKey(),
    fleetKey: owner.key.public,
    store: new MemoryTrust(),
    clock: systemClock,
    onEvent: () => undefined,
    ...options,
  });
}

/** A gate as of a gateway without any keys configured. */
export function openGate(): TrustGate {
  return gateOf(new FleetOwner(), { policy: 'off' });
}

export function trusts(gate: TrustGate, { gw, topic, payload }: Statement): boolean {
  return gate.receiveTrust(gw, topic, payload);
}
