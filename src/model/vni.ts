/** A VXLAN network identifier: 24 bits, and 0 is not a network here (RFC 7348 section 5). */
export type Vni = number & { readonly brand: 'Vni' };

export const VNI_MAX = 2 ** 24 - 1;

export function isVni(value: unknown): value is Vni {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= VNI_MAX;
}

/** Bytes that VXLAN adds to a frame: outer IP, UDP 8, VXLAN 8 and the inner Ethernet header 14 (RFC 7348 section 5). */
export function vxlanOverhead(vtepAddress: string): number {
  return vtepAddress.includes(':') ? 70 : 50;
}
