import { type Mac, macBytes } from '../../model/mac.ts';
import type { IpvlanMode, MacvlanMode } from '../../model/network.ts';
import { attribute, message, NETLINK, text, u16, u32 } from '../netlink.ts';
import { BRIDGE } from './link-data.ts';
import { IFLA, IFLA_INFO, INTERFACE_INFO, RTM } from './numbers.ts';

/** IFLA_MACVLAN_MODE and IFLA_IPVLAN_MODE of linux/if_link.h, with their values */
const MODE = 1;
const MACVLAN_MODES: Readonly<Record<MacvlanMode, number>> = { private: 1, vepa: 2, bridge: 4, passthru: 8 };
const IPVLAN_MODES: Readonly<Record<IpvlanMode, number>> = { l2: 0, l3: 1, l3s: 2 };

/** What kind of child of its parent an interface is. */
export type ChildKind =
  | { readonly type: 'macvlan'; readonly mode: MacvlanMode }
  | { readonly type: 'ipvlan'; readonly mode: IpvlanMode };

export type ChildRequest = {
  readonly name: string;
  /** the parent's index */
  readonly parent: number;
  readonly kind: ChildKind;
  /** its parent's where there is none */
  readonly mac: Mac | undefined;
  readonly mtu: number;
  readonly group: number;
};

/** The request (rtnetlink(7)) that makes a child, down. An interface of that name makes it fail with EEXIST. */
export function childRequest({ name, parent, kind, mac, mtu, group }: ChildRequest): Buffer {
  return request(
    RTM.NEWLINK,
    NETLINK.CREATE | NETLINK.EXCLUSIVE,
    text(IFLA.IFNAME, name),
    u32(IFLA.LINK, parent),
    u32(IFLA.MTU, mtu),
    u32(IFLA.GROUP, group),
    ...(mac === undefined ? [] : [attribute(IFLA.ADDRESS, macBytes(mac))]),
    attribute(IFLA.LINKINFO, Buffer.concat([text(IFLA_INFO.KIND, kind.type), dataOf(kind)])),
  );
}

/** ipvlan's mode is a u16, and an attribute of another length is refused. */
function dataOf(kind: ChildKind): Buffer {
  const mode = kind.type === 'macvlan' ? u32(MODE, MACVLAN_MODES[kind.mode]) : u16(MODE, IPVLAN_MODES[kind.mode]);
  return attribute(IFLA_INFO.DATA, mode);
}

/** The request that gives an interface its alias, at most 255 bytes. The kernel takes none at an interface's making. */
export function aliasRequest(name: string, alias: string): Buffer {
  return request(RTM.NEWLINK, 0, text(IFLA.IFNAME, name), attribute(IFLA.IFALIAS, Buffer.from(alias)));
}

/** The request that has a bridge learn so many MACs at most. Kernels before Linux 6.7 take it, and do nothing. */
export function learnedRequest(name: string, most: number): Buffer {
  const data = attribute(IFLA_INFO.DATA, u32(BRIDGE.FDB_MAX_LEARNED, most));
  const info = attribute(IFLA.LINKINFO, Buffer.concat([text(IFLA_INFO.KIND, 'bridge'), data]));
  return request(RTM.NEWLINK, 0, text(IFLA.IFNAME, name), info);
}

/** The request that deletes an interface. */
export function deleteRequest(name: string): Buffer {
  return request(RTM.DELLINK, 0, text(IFLA.IFNAME, name));
}

function request(type: number, flags: number, ...attributes: readonly Buffer[]): Buffer {
  return message(type, NETLINK.ACK | flags, 0, INTERFACE_INFO, ...attributes);
}
