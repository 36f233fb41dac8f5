import { sign, verify } from 'node:crypto';
import { fromBase64url, type PublicKey, type SigningKey } from './key.ts';

/** A payload with a detached signature over its exact bytes and the topic it was published on. */
export type Envelope = {
  readonly payload: Buffer;
  /** of the key that it says has signed it */
  readonly keyId: string;
  readonly signature: Buffer;
};

/** What is no envelope; `json`: what it is, where it is an object. */
export type Bare = { readonly json?: object };

/** The version of the signature format, and what keeps a signature from being one of another protocol's. */
const DOMAIN = 'linkspan-signature-v1\0';
const SIGNATURE_BYTES = 64;
const KEY_ID = /^[0-9a-f]{16}$/;
/** JSON at most doubles the bytes of a payload that is JSON itself: quotes, backslashes and line ends. */
const [GROWTH, AROUND] = [2, 256];
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes on the wire: `{"p": payload, "k": key id, "s": signature}`. @param payload UTF-8 */
export function seal(key: SigningKey, topic: string, payload: Buffer): Buffer {
  const signature = sign(null, signedBytes(topic, payload), key.object);
  return Buffer.from(
    JSON.stringify({ p: payload.toString('utf8'), k: key.public.id, s: signature.toString('base64url') }),
  );
}

/**
 * Takes an envelope apart, from bytes that anybody may have written. Says nothing about the signature: see `isSignedBy`.
 * @param payloadMax bytes of the largest payload that is taken
 */
export function parseEnvelope(bytes: Uint8Array, payloadMax: number): Envelope | Bare | 'malformed' {
  if (bytes.length > GROWTH * payloadMax + AROUND) return 'malformed';
  const json = objectIn(bytes);
  if (json === undefined) return {};
  if (!('p' in json || 'k' in json || 's' in json)) return { json };
  const { p, k, s }: { readonly p?: unknown; readonly k?: unknown; readonly s?: unknown } = json;
  if (typeof p !== 'string' || typeof k !== 'string' || typeof s !== 'string') return 'malformed';
  const signature = fromBase64url(s, SIGNATURE_BYTES);
  // text with half a surrogate pair has no bytes of its own: two texts would be one payload
  if (signature === undefined || !KEY_ID.test(k) || !p.isWellFormed()) return 'malformed';
  const payload = Buffer.from(p);
  return payload.length > payloadMax ? 'malformed' : { payload, keyId: k, signature };
}

export function isEnvelope(parsed: Envelope | Bare | 'malformed'): parsed is Envelope {
  return typeof parsed === 'object' && 'signature' in parsed;
}

/** Whether the key's holder has signed this payload for this topic. */
export function isSignedBy(key: PublicKey, topic: string, { payload, keyId, signature }: Envelope): boolean {
  return keyId === key.id && verify(null, signedBytes(topic, payload), key.object, signature);
}

function signedBytes(topic: string, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${DOMAIN}${topic}\0`), payload]);
}

function objectIn(bytes: Uint8Array): object | undefined {
  try {
    const value: unknown = JSON.parse(UTF8.decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
