/** How the gateways come to the broker, and whether they sign what they say and believe only what is signed. */
export type Variant = { readonly tls: boolean; readonly signed: boolean };

export const VARIANTS: readonly Variant[] = [
  { tls: false, signed: false },
  { tls: false, signed: true },
  { tls: true, signed: false },
  { tls: true, signed: true },
];

export function variantName({ tls, signed }: Variant): string {
  if (tls) return signed ? 'TLS+signed' : 'TLS';
  return signed ? 'signed' : 'plain';
}
