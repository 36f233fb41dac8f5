import { addressIn, type Attributes, numberIn, bigEndianIn } from '../netlink-read.ts';

/** What only links of one kind have, named as `ip -d -j link` names it; whatever else is left out. */
export type LinkData = {
  /** macvlan: bridge, vepa, private, passthru, source; ipvlan: l2, l3, l3s */
  readonly mode?: string;
  /** vxlan: its VNI, and UDP port; vlan: its VLAN */
  readonly id?: number;
  readonly port?: number;
  readonly local?: string;
  readonly local6?: string;
  readonly group?: string;
  readonly group6?: string;
  readonly learning?: boolean;
  /** vxlan: index of the interface that its group is joined on, or 0 */
  readonly device?: number;
  /** vlan: the tag's EtherType, 0x8100 or 0x88a8 */
  readonly protocol?: number;
  /** tun: tun or tap */
  readonly type?: string;
  readonly vnet_hdr?: boolean;
  /** bridge; those of them that the kernel has */
  readonly stp_state?: number;
  readonly group_fwd_mask?: number;
  readonly mcast_snooping?: number;
  readonly vlan_filtering?: number;
  /** in hundredths of a second */
  readonly ageing_time?: number;
  /** since Linux 6.7; 0: no limit */
  readonly fdb_max_learned?: number;
};

type Reader = (attributes: Attributes) => LinkData;

/** Numbers of linux/if_link.h. */
const MACVLAN_MODE = 1;
const MACVLAN_MODES = new Map([
  [1, 'private'],
  [2, 'vepa'],
  [4, 'bridge'],
  [8, 'passthru'],
  [16, 'source'],
]);
const IPVLAN_MODE = 1;
const IPVLAN_MODES = new Map([
  [0, 'l2'],
  [1, 'l3'],
  [2, 'l3s'],
]);
const VXLAN = { ID: 1, GROUP: 2, LINK: 3, LOCAL: 4, LEARNING: 7, PORT: 15, GROUP6: 16, LOCAL6: 17 } as const;
const VLAN = { ID: 1, PROTOCOL: 5 } as const;
export const BRIDGE = {
  AGEING_TIME: 4,
  STP_STATE: 5,
  VLAN_FILTERING: 7,
  GROUP_FWD_MASK: 9,
  MCAST_SNOOPING: 23,
  FDB_MAX_LEARNED: 49,
} as const;
const TUN = { TYPE: 3, VNET_HDR: 5 } as const;
const TUN_TYPES = new Map([
  [1, 'tun'],
  [2, 'tap'],
]);

const READERS: Readonly<Record<string, Reader>> = {
  macvlan: (attributes) => ({ ...named('mode', MACVLAN_MODES.get(numberIn(attributes, MACVLAN_MODE) ?? 0)) }),
  ipvlan: (attributes) => ({ ...named('mode', IPVLAN_MODES.get(numberIn(attributes, IPVLAN_MODE) ?? 0)) }),
  vlan: (attributes) => ({
    ...named('id', numberIn(attributes, VLAN.ID)),
    ...named('protocol', bigEndianIn(attributes, VLAN.PROTOCOL)),
  }),
  vxlan,
  bridge: (attributes) => ({
    ...named('stp_state', numberIn(attributes, BRIDGE.STP_STATE)),
    ...named('group_fwd_mask', numberIn(attributes, BRIDGE.GROUP_FWD_MASK)),
    ...named('mcast_snooping', numberIn(attributes, BRIDGE.MCAST_SNOOPING)),
    ...named('vlan_filtering', numberIn(attributes, BRIDGE.VLAN_FILTERING)),
    ...named('ageing_time', numberIn(attributes, BRIDGE.AGEING_TIME)),
    ...named('fdb_max_learned', numberIn(attributes, BRIDGE.FDB_MAX_LEARNED)),
  }),
  tun: (attributes) => ({
    ...named('type', TUN_TYPES.get(numberIn(attributes, TUN.TYPE) ?? 0)),
    vnet_hdr: numberIn(attributes, TUN.VNET_HDR) === 1,
  }),
};

/** IFLA_INFO_DATA of a link of that kind. */
export function readLinkData(kind: string, attributes: Attributes): LinkData {
  return READERS[kind]?.(attributes) ?? {};
}

function vxlan(attributes: Attributes): LinkData {
  return {
    ...named('id', numberIn(attributes, VXLAN.ID)),
    ...named('port', bigEndianIn(attributes, VXLAN.PORT)),
    ...named('local', addressIn(attributes, VXLAN.LOCAL)),
    ...named('local6', addressIn(attributes, VXLAN.LOCAL6)),
    ...named('group', addressIn(attributes, VXLAN.GROUP)),
    ...named('group6', addressIn(attributes, VXLAN.GROUP6)),
    ...named('device', numberIn(attributes, VXLAN.LINK)),
    learning: numberIn(attributes, VXLAN.LEARNING) === 1,
  };
}

function named<K extends keyof LinkData>(key: K, value: LinkData[K]): LinkData {
  return value === undefined ? {} : { [key]: value };
}
