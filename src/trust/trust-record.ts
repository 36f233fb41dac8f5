import { asNumber, asText, type Fields, refuse } from '../model/fields.ts';
import { asNameOf, parseWith, type Parsed } from '../peers/parse.ts';
import { type PublicKey, parsePublicKey } from './key.ts';
import { readVniRanges, type VniRanges } from './vni-ranges.ts';

/** What a gateway may do in the fleet: sign with this key, in these VNIs. */
export type Grant = { readonly key: PublicKey; readonly vnis: VniRanges };

/** What the fleet's owner says of a gateway, as published retained on `trust/<gw>`, signed by the fleet's key. */
export type TrustRecord = {
  readonly fleet: string;
  readonly gw: string;
  /** rises with each record of the gateway */
  readonly serial: number;
  /** when it was issued, seconds since 1970; for people */
  readonly iat: number;
  readonly grant: Grant | 'revoked';
};

/** Reads a trust record from bytes that anybody may have written; unknown fields are ignored. */
export function parseTrustRecord(payload: Uint8Array, about: { fleet: string; gw: string }): Parsed<TrustRecord> {
  return parseWith(payload, (fields) => readTrustRecord(fields, about));
}

function readTrustRecord(fields: Fields, about: { fleet: string; gw: string }): TrustRecord {
  if (fields['v'] !== 1) refuse('v', '1');
  const revoked = fields['revoked'] ?? false;
  if (typeof revoked !== 'boolean') refuse('revoked', 'true or false');
  return {
    fleet: asNameOf('fleet', fields['fleet'], about.fleet),
    gw: asNameOf('gw', fields['gw'], about.gw),
    serial: asNumber('serial', fields['serial'], 0, Number.MAX_SAFE_INTEGER),
    iat: asNumber('iat', fields['iat'], 0, Number.MAX_SAFE_INTEGER),
    grant: revoked ? 'revoked' : readGrant(fields),
  };
}

function readGrant(fields: Fields): Grant {
  const key = parsePublicKey(asText('key', fields['key'], /^[\w-]{43}$/));
  return { key: key ?? refuse('key', '32 bytes as base64url'), vnis: readVniRanges(fields['vnis']) };
}

export function encodeTrustRecord({ fleet, gw, serial, iat, grant }: TrustRecord): Buffer {
  const said = grant === 'revoked' ? { revoked: true } : { key: grant.key.text, vnis: grant.vnis };
  return Buffer.from(JSON.stringify({ v: 1, fleet, gw, ...said, serial, iat }));
}
