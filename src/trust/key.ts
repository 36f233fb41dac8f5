import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** An Ed25519 public key (RFC 8032). */
export type PublicKey = {
  /** its 32 bytes as base64url without padding: 43 characters */
  readonly text: string;
  /** the first 16 hex digits of the SHA-256 over those bytes */
  readonly id: string;
  readonly object: KeyObject;
};

export type SigningKey = { readonly public: PublicKey; readonly object: KeyObject };

const PUBLIC_BYTES = 32;

/** The bytes of base64url text without padding; undefined for any other text, and for other text of the same bytes. */
export function fromBase64url(text: string, bytes: number): Buffer | undefined {
  const decoded = Buffer.from(text, 'base64url');
  return decoded.length === bytes && decoded.toString('base64url') === text ? decoded : undefined;
}

/** The key of its text; undefined where the text is none. */
export function parsePublicKey(text: string): PublicKey | undefined {
  const raw = fromBase64url(text, PUBLIC_BYTES);
  if (raw === undefined) return undefined;
  const object = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: text }, format: 'jwk' });
  return { text, id: createHash('sha256').update(raw).digest('hex').slice(0, 16), object };
}

/** Makes a key. Its public text begins with no dash: as `--key`'s argument it would be taken for an option. */
export function makeSigningKey(): SigningKey {
  for (;;) {
    const key = withPublic(generateKeyPairSync('ed25519').privateKey);
    if (!key.public.text.startsWith('-')) return key;
  }
}

/** The key in a PEM file's text (PKCS #8, as `openssl genpkey -algorithm ed25519` writes it too), or undefined. */
export function parseSigningKey(pem: string): SigningKey | undefined {
  try {
    const object = createPrivateKey(pem);
    return object.asymmetricKeyType === 'ed25519' ? withPublic(object) : undefined;
  } catch {
    return undefined;
  }
}

export function formatSigningKey({ object }: SigningKey): string {
  return object.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function withPublic(object: KeyObject): SigningKey {
  const { x = '' } = createPublicKey(object).export({ format: 'jwk' });
  const key = parsePublicKey(x);
  if (key === undefined) throw new TypeError('an Ed25519 key has 32 bytes');
  return { public: key, object };
}
