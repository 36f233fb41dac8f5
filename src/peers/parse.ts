import { asFields, asIp, asList, asNumber, asText, type Fields, refuse } from '../model/fields.ts';
import type { Listing, Vtep } from '../model/peer.ts';
import { LinkspanError } from '../service/errors.ts';

/** The largest payload that is read at all; what is larger is refused before it is parsed. */
export const MAX_PAYLOAD = 64 * 1024;

const UTF8 = new TextDecoder('utf-8', { fatal: true });
const DIGEST = /^[0-9a-f]{16}$/;
const MAX_VTEPS = 8;
// "this host", loopback, link-local, multicast, reserved and broadcast: none is where a gateway's packets go
const NO_VTEP = /^(0\.|127\.|169\.254\.|22[4-9]\.|23\d\.|24\d\.|25[0-5]\.|ff|fe[89ab])|^::1?$|^::ffff:/;

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/**
 * Runs `read` over the JSON object in `payload` (UTF-8, at most 64 KiB); any refusal becomes a reason.
 * @param json the payload as JSON, where somebody has read it already
 */
export function parseWith<T>(payload: Uint8Array, read: (fields: Fields) => T, json?: object): Parsed<T> {
  if (payload.length > MAX_PAYLOAD) return { ok: false, reason: `larger than ${MAX_PAYLOAD} bytes` };
  try {
    const value: unknown = json ?? JSON.parse(UTF8.decode(payload));
    return { ok: true, value: read(asFields('document', value)) };
  } catch (error) {
    if (error instanceof LinkspanError) return { ok: false, reason: error.message };
    return { ok: false, reason: 'not JSON in UTF-8' };
  }
}

/** A gateway's or fleet's name, which must be the one the topic names. */
export function asNameOf(field: string, value: unknown, topic: string): string {
  // the topic's own spelling is its reader's to judge: a fleet may have dots in its name, a gateway may not
  return value === topic ? topic : refuse(field, `"${topic}" as in the topic`);
}

/** A publication's sequence number and digest. */
export function asListing(field: string, value: unknown): Listing {
  const [seq, digest] = asList(field, value, 2);
  return [asNumber(`${field}.seq`, seq, 0, Number.MAX_SAFE_INTEGER), asText(`${field}.digest`, digest, DIGEST)];
}

/** Tunnel endpoints: at most 8, each a unicast address and a UDP port. */
export function asVteps(value: unknown, min: number): readonly Vtep[] {
  const list = asList('vtep', value, MAX_VTEPS);
  if (list.length < min) refuse('vtep', `a list of at least ${min}`);
  return list.map((item) => {
    const fields = asFields('vtep', item);
    const ip = asIp('vtep.ip', fields['ip']);
    if (NO_VTEP.test(ip)) refuse('vtep.ip', 'a unicast address');
    return { ip, port: asNumber('vtep.port', fields['port'], 1, 65_535) };
  });
}
