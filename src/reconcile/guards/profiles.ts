import type { GuardProfile } from '../../model/guards.ts';

/** What a profile lets cross beside unicast IP, ARP and neighbour discovery, which all do; matches of nftables. */
export type Crossing = {
  /** whether the rest crosses too, but for `NEVER_FRAMES` and `NEVER_GROUPS` */
  readonly open: boolean;
  /** of broadcast and multicast */
  readonly groups: readonly string[];
  /** of all frames */
  readonly frames: readonly string[];
};

/** By which switches that prune multicast know who wants it: IGMP, and MLD with its version 2. */
const MEMBERSHIP = ['meta l4proto 2', 'icmpv6 type { 130, 131, 132, 143 }'];

/** PROFINET DCP by its FrameID, behind the EtherType: Hello, Identify and its answer. 0xfefd, Get and Set, is not there. */
const DCP = 'ether type 0x8892 @ll,112,16 { 0xfefc, 0xfefe, 0xfeff }';

const PROFILES: Readonly<Record<GuardProfile, Partial<Crossing>>> = {
  strict: {},
  default: { open: true },
  profinet: { frames: [DCP] },
  bacnet: { groups: ['udp dport 47808'] },
  'ethernet-ip': { groups: ['udp dport { 2222, 44818 }', ...MEMBERSHIP] },
  mdns: { groups: ['udp dport { 1900, 3702, 5353 }', ...MEMBERSHIP] },
};

/**
 * EtherTypes that a site keeps to itself. A way between sites is too slow for cyclic data: PROFINET, EtherCAT, GOOSE,
 * sampled values, PTP. The rest is about the wire it was sent on: DLR, pause, slow protocols, LLDP, MRP, PRP, and the
 * outer tags of switches older than 802.1ad, behind which no rule sees.
 */
export const NEVER_FRAMES =
  'ether type { 0x8892, 0x88a4, 0x88b8, 0x88ba, 0x88f7, 0x80e1, 0x8808, 0x8809, 0x88cc, 0x88e3, 0x88fb, 0x9100, 0x9200 }';

/** PTP, and who is the router: HSRP of both versions and for IPv6, OSPF, VRRP. Each site keeps its own. */
export const NEVER_GROUPS = ['udp dport { 319, 320, 1985, 2029 }', 'meta l4proto { 89, 112 }'];

/** What several profiles let cross together. */
export function crossingOf(profiles: readonly GuardProfile[]): Crossing {
  const all = profiles.map((profile) => PROFILES[profile]);
  return {
    open: all.some(({ open = false }) => open),
    groups: [...new Set(all.flatMap(({ groups = [] }) => groups))],
    frames: [...new Set(all.flatMap(({ frames = [] }) => frames))],
  };
}
