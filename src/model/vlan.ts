/** The EtherType of a VLAN's tag: a customer's (IEEE 802.1Q) or a service provider's (802.1ad), by the words of `ip link`. */
export const TAG_TYPE = { '802.1Q': 0x8100, '802.1ad': 0x88a8 } as const;

export type VlanProtocol = keyof typeof TAG_TYPE;

/** Which of an uplink's frames are meant. */
export type Vlan = {
  /** 802.1Q, 1 to 4094; absent: the untagged frames */
  readonly vlan?: number;
  /** 802.1ad, 1 to 4094: the tag around that of `vlan`, which is then given too; absent: there is none */
  readonly outerVlan?: number;
};

/** In words, different for what is different. */
export function vlanWords({ vlan, outerVlan }: Vlan): string {
  if (vlan === undefined) return 'untagged';
  return outerVlan === undefined ? `VLAN ${vlan}` : `VLAN ${vlan} inside ${outerVlan}`;
}

/** Those of the numbers that are given. */
export function vlanOf({ vlan, outerVlan }: { readonly [K in keyof Vlan]: Vlan[K] | undefined }): Vlan {
  return { ...(vlan !== undefined && { vlan }), ...(outerVlan !== undefined && { outerVlan }) };
}
