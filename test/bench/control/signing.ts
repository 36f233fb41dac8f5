import type { Clock } from '../../../src/service/clock.ts';
import { seal } from '../../../src/trust/envelope.ts';
import { TrustGate } from '../../../src/trust/gate.ts';
import {
  formatSigningKey,
  makeSigningKey,
  parsePublicKey,
  parseSigningKey,
  type SigningKey,
} from '../../../src/trust/key.ts';
import { encodeTrustRecord } from '../../../src/trust/trust-record.ts';
import { formatTopic } from '../../../src/control/session/topics.ts';
import type { Statement } from './packets.ts';
import { FLEET, nameOf, type Shape } from './shape.ts';

/** What a fleet's gateways have of trust, by index, in the form that goes to another process. */
export type Signing = {
  readonly fleetKey: string;
  /** of each gateway's own key, PEM */
  readonly keys: readonly string[];
  /** the payloads of the trust records */
  readonly bodies: readonly string[];
};

/** A key for each gateway, and a record of it that the fleet's key has signed. */
export function makeSigning(shape: Shape): { readonly signing: Signing; readonly statements: readonly Statement[] } {
  const owner = makeSigningKey();
  const made = Array.from({ length: shape.gateways }, (_, index) => {
    const key = makeSigningKey();
    const topic = formatTopic(FLEET, { kind: 'trust', gw: nameOf(index) });
    const grant = { key: key.public, vnis: 'all' } as const;
    const body = encodeTrustRecord({ fleet: FLEET, gw: nameOf(index), serial: 1, iat: 0, grant });
    return {
      key: formatSigningKey(key),
      body: body.toString(),
      statement: { topic, payload: seal(owner, topic, body) },
    };
  });
  return {
    signing: { fleetKey: owner.public.text, keys: made.map(({ key }) => key), bodies: made.map(({ body }) => body) },
    statements: made.map(({ statement }) => statement),
  };
}

const nothing = (): undefined => undefined;

/**
 * The gate of one gateway: policy `require`, and of its peers it knows already that the fleet's key vouches for them, as
 * after a restart. Without `signing`: a gateway that has no fleet key configured.
 */
export function gateOf(shape: Shape, index: number, signing: Signing | undefined, clock: Clock): TrustGate {
  const common = { fleet: FLEET, gateway: nameOf(index), clock, onEvent: nothing };
  const known = signing ? [index, ...shape.peersOf(index)] : [];
  const rows = known.map((peer) => ({ gw: nameOf(peer), body: signing?.bodies[peer] ?? '' }));
  return new TrustGate({
    ...common,
    policy: signing ? 'require' : 'off',
    key: keyOf(signing, index),
    fleetKey: signing && parsePublicKey(signing.fleetKey),
    store: { load: () => rows, save: nothing },
  });
}

function keyOf(signing: Signing | undefined, index: number): SigningKey {
  return parseSigningKey(signing?.keys[index] ?? '') ?? makeSigningKey();
}
