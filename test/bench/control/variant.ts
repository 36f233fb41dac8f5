/** How the gateways come to the broker. */
export type Variant = { readonly tls: boolean };

export const VARIANTS: readonly Variant[] = [{ tls: false }, { tls: true }];

export const variantName = ({ tls }: Variant): string => (tls ? 'TLS' : 'plain');
