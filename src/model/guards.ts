/** Sets of protocols that an overlay network's broadcast and multicast may carry between sites; docs/guards.md has them. */
export const GUARD_PROFILES = ['strict', 'default', 'profinet', 'bacnet', 'ethernet-ip', 'mdns'] as const;

export type GuardProfile = (typeof GUARD_PROFILES)[number];

/** What may cross between the sites of an overlay network. */
export type Guards = {
  readonly dhcp: 'block' | 'allow';
  /** router advertisements and redirects of IPv6 */
  readonly ra: 'block' | 'allow';
  /** broadcast, unknown unicast and multicast frames a second, each way */
  readonly bumPps: number;
  /** whether a second way between the sites' VLANs is looked for, and cut */
  readonly loop: 'on' | 'off';
  /** what any of them lets cross, crosses */
  readonly profiles: readonly GuardProfile[];
};

export const DEFAULT_GUARDS: Guards = { dhcp: 'block', ra: 'block', loop: 'on', bumPps: 200, profiles: ['default'] };

/** Why a guard drops a frame; those that the user engine's datapath has too bear its names. */
export const GUARD_REASONS = [
  /** DHCP of both versions, questions and answers */
  'dhcp',
  /** router advertisements and redirects of IPv6 */
  'ra',
  /** our own UDP port: an overlay inside itself */
  'nested',
  /** source MAC with the group bit, or all zero */
  'group_source',
  /** to an address that ends at the next bridge or is a switch's own: spanning tree, LACP, pause, MVRP, PVST+ */
  'link_local',
  /** carries an 802.1Q tag (RFC 7348 section 6.1) */
  'inner_vlan',
  /** none that the network's profile lets cross */
  'protocol',
  /** broadcast or multicast above the network's limit */
  'storm',
] as const;

export type GuardReason = (typeof GUARD_REASONS)[number];

/** From other sites, or towards them. */
export const GUARD_DIRECTIONS = ['in', 'out'] as const;

export type GuardDirection = (typeof GUARD_DIRECTIONS)[number];

/** Who asks whether a stretched network comes back to itself. */
export type LoopProber = ProbeKeys & { readonly vni: number; readonly gateway: string };

/** 8 bytes that only this gateway and its VLAN know: who forges its probes elsewhere cuts nothing. */
export type ProbeKeys = {
  readonly key: Buffer;
  /** what is sent with it is still known */
  readonly former: Buffer | undefined;
};

/** The set of nftables in which an element stands for as long as a loop is cut. */
export const CUT_SET = 'cut';
