import { type Mac, macBytes } from '../../model/mac.ts';
import type { MacvlanMode } from '../../model/network.ts';
import { attribute, message, NETLINK, text, u32 } from '../netlink.ts';
import { IFLA, IFLA_INFO, INTERFACE_INFO, RTM } from './numbers.ts';

/** IFLA_MACVLAN_MODE of linux/if_link.h */
const IFLA_MACVLAN_MODE = 1;
const MODES: Readonly<Record<MacvlanMode, number>> = { private: 1, vepa: 2, bridge: 4, passthru: 8 };

export type MacvlanRequest = {
  readonly name: string;
  /** the parent's index */
  readonly parent: number;
  readonly mode: MacvlanMode;
  /** its parent's where there is none */
  readonly mac: Mac | undefined;
  readonly mtu: number;
  readonly group: number;
};

/** The request (rtnetlink(7)) that makes a macvlan child, down. An interface of that name makes it fail with EEXIST. */
export function macvlanRequest({ name, parent, mode, mac, mtu, group }: MacvlanRequest): Buffer {
  const data = attribute(IFLA_INFO.DATA, u32(IFLA_MACVLAN_MODE, MODES[mode]));
  return request(
    RTM.NEWLINK,
    NETLINK.CREATE | NETLINK.EXCLUSIVE,
    text(IFLA.IFNAME, name),
    u32(IFLA.LINK, parent),
    u32(IFLA.MTU, mtu),
    u32(IFLA.GROUP, group),
    ...(mac === undefined ? [] : [attribute(IFLA.ADDRESS, macBytes(mac))]),
    attribute(IFLA.LINKINFO, Buffer.concat([text(IFLA_INFO.KIND, 'macvlan'), data])),
  );
}

/** The request that gives an interface its alias, at most 255 bytes. The kernel takes none at an interface's making. */
export function aliasRequest(name: string, alias: string): Buffer {
  return request(RTM.NEWLINK, 0, text(IFLA.IFNAME, name), attribute(IFLA.IFALIAS, Buffer.from(alias)));
}

/** The request that deletes an interface. */
export function deleteRequest(name: string): Buffer {
  return request(RTM.DELLINK, 0, text(IFLA.IFNAME, name));
}

function request(type: number, flags: number, ...attributes: readonly Buffer[]): Buffer {
  return message(type, NETLINK.ACK | flags, 0, INTERFACE_INFO, ...attributes);
}
