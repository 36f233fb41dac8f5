import type { EventSink, PeerStatus, TrustStatus } from '../model/status.ts';
import type { Vni } from '../model/vni.ts';
import { MAX_PAYLOAD } from '../peers/parse.ts';
import type { Clock } from '../service/clock.ts';
import { CheckedSignatures } from './checked.ts';
import { isEnvelope, parseEnvelope, seal } from './envelope.ts';
import type { PublicKey, SigningKey } from './key.ts';
import { type RefusalReason, Refusals } from './refusals.ts';
import { Roster, type TrustStore } from './roster.ts';
import type { TrustRecord } from './trust-record.ts';
import { formatVniRanges, isInRanges } from './vni-ranges.ts';
import { Wanted } from './wanted.ts';

/** `warn` tells of what `require` would refuse, and takes it; with `off` nothing is signed and nothing is checked. */
export type TrustPolicy = TrustStatus['policy'];

export type TrustGateOptions = {
  readonly fleet: string;
  readonly gateway: string;
  readonly policy: TrustPolicy;
  /** this gateway's own */
  readonly key: SigningKey;
  /** undefined: none is configured, and the policy is `off` */
  readonly fleetKey: PublicKey | undefined;
  readonly store: TrustStore;
  readonly clock: Clock;
  readonly onEvent: EventSink;
};

/**
 * A payload, and the id of the key that vouches for it; absent: none does, and the policy takes it all the same.
 * `json`: the payload as JSON, where it had to be read as that already.
 */
export type Opened = { readonly payload: Buffer; readonly signer?: string; readonly json?: object };

/** Who says something, and where. */
export type Said = { readonly gw: string; readonly vni?: Vni; readonly topic: string };

/** What passes between this gateway and the broker, by the policy: signs what goes out, checks what comes in. */
export class TrustGate {
  readonly #options: TrustGateOptions;
  readonly #roster: Roster | undefined;
  readonly #refusals: Refusals;
  readonly #wanted = new Wanted();
  readonly #checked = new CheckedSignatures();
  /** the gateways whose latest word was signed as it should be */
  readonly #signing = new Set<string>();

  constructor(options: TrustGateOptions) {
    const { fleetKey, policy } = options;
    this.#options = options;
    this.#refusals = new Refusals(options.onEvent, options.clock);
    if (fleetKey && policy !== 'off') this.#roster = new Roster({ ...options, fleetKey });
  }

  /** The gateways whose trust topics are to be followed. */
  get followed(): readonly string[] {
    if (!this.#roster) return [];
    return [...new Set([this.#options.gateway, ...this.#roster.gateways, ...this.#wanted.gateways])];
  }

  /** What is published for this payload; nothing stays nothing. */
  seal(topic: string, payload: Buffer): Buffer {
    const { policy, key } = this.#options;
    return policy === 'off' || payload.length === 0 ? payload : seal(key, topic, payload);
  }

  /** What a peer says; undefined: refused. An empty payload says nothing that a signature could make true. */
  openPeer(said: Said, bytes: Buffer): Opened | undefined {
    const envelope = parseEnvelope(bytes, MAX_PAYLOAD);
    if (bytes.length === 0 || !this.#roster) return unvouched(envelope, bytes);
    const flaw = this.#flawOf(said, envelope, this.#roster.of(said.gw));
    if (flaw === undefined && isEnvelope(envelope)) {
      this.#signing.add(said.gw);
      return { payload: envelope.payload, signer: envelope.keyId };
    }
    this.#signing.delete(said.gw);
    if (flaw === 'unknown') this.#wanted.add(said.gw);
    return this.#refuse(said, flaw ?? 'malformed') ? undefined : unvouched(envelope, bytes);
  }

  /** What the broker shows on a topic of this gateway's own; what it has not signed is as good as nothing. */
  openOwn(topic: string, bytes: Buffer): Buffer {
    const { gateway: gw, key } = this.#options;
    return this.#openSignedBy(key.public, { gw, topic }, bytes, MAX_PAYLOAD) ?? Buffer.alloc(0);
  }

  /** A document or request for this gateway, which the fleet's key has to sign; undefined: refused. */
  openOrder(topic: string, bytes: Buffer, payloadMax: number): Buffer | undefined {
    const { gateway: gw, fleetKey } = this.#options;
    return this.#openSignedBy(fleetKey, { gw, topic }, bytes, payloadMax);
  }

  /** Takes what the broker shows on a gateway's trust topic; returns whether the gateway is trusted otherwise than before. */
  receiveTrust(gw: string, topic: string, bytes: Buffer): boolean {
    if (!this.#roster || bytes.length === 0) return false;
    const before = this.#roster.of(gw);
    const outcome = this.#roster.receive(gw, topic, bytes);
    if (outcome !== 'accepted' && outcome !== 'known') this.#refusals.add(gw, topic, outcome);
    if (outcome !== 'accepted') return false;
    this.#wanted.remove(gw);
    this.#refusals.settle(gw);
    this.#tell(gw, before);
    return true;
  }

  /** Whether what this signer once said of the gateway, in that VNI or of itself, still holds. */
  admits(gw: string, vni: Vni | undefined, signer: string | undefined): boolean {
    if (this.#options.policy !== 'require') return true;
    const grant = this.#roster?.of(gw)?.grant;
    if (grant === undefined || grant === 'revoked' || grant.key.id !== signer) return false;
    return vni === undefined || isInRanges(grant.vnis, vni);
  }

  /** The peers, and which of them sign: those that are refused where they do not, did. */
  marked(peers: readonly PeerStatus[]): readonly PeerStatus[] {
    if (!this.#roster) return peers;
    const isSigned = ({ gateway }: PeerStatus): boolean =>
      this.#options.policy === 'require' || this.#signing.has(gateway);
    return peers.map((peer) => ({ ...peer, signed: isSigned(peer) }));
  }

  get status(): TrustStatus {
    const { policy, key, fleetKey, gateway } = this.#options;
    const grant = this.#roster?.of(gateway)?.grant;
    return {
      policy,
      public_key: key.public.text,
      key_id: key.public.id,
      fleet_key_id: fleetKey?.id ?? null,
      enrolled: this.#roster ? enrolment(grant, key) : null,
      vnis: grant === undefined || grant === 'revoked' ? null : formatVniRanges(grant.vnis),
      refused: this.#refusals.gateways,
      refused_total: this.#refusals.counts,
    };
  }

  #openSignedBy(key: PublicKey | undefined, said: Said, bytes: Buffer, payloadMax: number): Buffer | undefined {
    const envelope = parseEnvelope(bytes, payloadMax);
    const flaw = key && bytes.length > 0 && this.#roster ? this.#signatureFlaw(key, said.topic, envelope) : undefined;
    if (flaw !== undefined && this.#refuse(said, flaw)) return undefined;
    return payloadOf(envelope, bytes);
  }

  #flawOf({ topic, vni }: Said, envelope: Parsed, record: TrustRecord | undefined): RefusalReason | undefined {
    if (envelope === 'malformed') return 'malformed';
    if (!isEnvelope(envelope)) return 'unsigned';
    if (record === undefined) return 'unknown';
    if (record.grant === 'revoked') return 'revoked';
    const { key, vnis } = record.grant;
    const isForeign = vni !== undefined && !isInRanges(vnis, vni);
    return this.#signatureFlaw(key, topic, envelope) ?? (isForeign ? 'vni' : undefined);
  }

  #signatureFlaw(key: PublicKey, topic: string, envelope: Parsed): RefusalReason | undefined {
    if (envelope === 'malformed') return 'malformed';
    if (!isEnvelope(envelope)) return 'unsigned';
    if (envelope.keyId !== key.id) return 'foreign';
    return this.#checked.isSignedBy(key, topic, envelope) ? undefined : 'forged';
  }

  /** Tells of it; returns whether the policy refuses. */
  #refuse({ gw, topic }: Said, reason: RefusalReason): boolean {
    const isRefused = this.#options.policy === 'require';
    this.#refusals.add(gw, topic, reason, !isRefused);
    return isRefused;
  }

  #tell(gw: string, before: TrustRecord | undefined): void {
    const { gateway, key, onEvent } = this.#options;
    const grant = this.#roster?.of(gw)?.grant;
    if (grant === undefined) return;
    if (grant === 'revoked') onEvent('trust_revoked', 'warning', `gateway ${gw} is revoked: what it says is refused`);
    else if (gw === gateway && grant.key.id !== key.public.id) {
      const message = `the fleet's key vouches for another key of this gateway (${grant.key.id}, and it has ${key.public.id})`;
      onEvent('trust_other_key', 'error', `${message}; enrol it again with what "linkspan key show" prints`);
    } else if (before || gw === gateway) {
      const message = `gateway ${gw} is enrolled with key ${grant.key.id} for VNIs ${formatVniRanges(grant.vnis)}`;
      onEvent('trust_enrolled', 'info', message);
    }
  }
}

type Parsed = ReturnType<typeof parseEnvelope>;

function payloadOf(envelope: Parsed, bytes: Buffer): Buffer {
  return isEnvelope(envelope) ? envelope.payload : bytes;
}

function unvouched(envelope: Parsed, bytes: Buffer): Opened {
  if (envelope === 'malformed') return { payload: bytes };
  return isEnvelope(envelope) ? { payload: envelope.payload } : { payload: bytes, ...envelope };
}

function enrolment(grant: TrustRecord['grant'] | undefined, key: SigningKey): TrustStatus['enrolled'] {
  if (grant === undefined) return 'no';
  if (grant === 'revoked') return 'revoked';
  return grant.key.id === key.public.id ? 'yes' : 'other_key';
}
