import type { Mac } from '../model/mac.ts';
import { macBytes } from '../model/mac.ts';
import type { MacvlanMode } from '../model/network.ts';

/** linux/netlink.h, linux/rtnetlink.h and linux/if_link.h; all numbers are in the machine's order, little-endian. */
const NLMSG_ERROR = 2;
const RTM = { NEWLINK: 16, DELLINK: 17 } as const;
const NLM_F = { REQUEST: 0x1, ACK: 0x4, EXCL: 0x200, CREATE: 0x400 } as const;
const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, LINK: 5, LINKINFO: 18, IFALIAS: 20, GROUP: 27 } as const;
const IFLA_INFO = { KIND: 1, DATA: 2 } as const;
const IFLA_MACVLAN_MODE = 1;
const MODES: Readonly<Record<MacvlanMode, number>> = { private: 1, vepa: 2, bridge: 4, passthru: 8 };
const HEADER = 16;
const INTERFACE_INFO = 16;

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
  const data = attribute(IFLA_INFO.DATA, attribute(IFLA_MACVLAN_MODE, u32(MODES[mode])));
  return request(RTM.NEWLINK, NLM_F.CREATE | NLM_F.EXCL, [
    attribute(IFLA.IFNAME, text(name)),
    attribute(IFLA.LINK, u32(parent)),
    attribute(IFLA.MTU, u32(mtu)),
    attribute(IFLA.GROUP, u32(group)),
    ...(mac === undefined ? [] : [attribute(IFLA.ADDRESS, macBytes(mac))]),
    attribute(IFLA.LINKINFO, attribute(IFLA_INFO.KIND, text('macvlan')), data),
  ]);
}

/** The request that gives an interface its alias, at most 255 bytes. The kernel takes none at an interface's making. */
export function aliasRequest(name: string, alias: string): Buffer {
  return request(RTM.NEWLINK, 0, [attribute(IFLA.IFNAME, text(name)), attribute(IFLA.IFALIAS, Buffer.from(alias))]);
}

/** The request that deletes an interface. */
export function deleteRequest(name: string): Buffer {
  return request(RTM.DELLINK, 0, [attribute(IFLA.IFNAME, text(name))]);
}

/** The error number (positive, 0 for none) in the kernel's answer; undefined where it is no answer to a request. */
export function errnoIn(answer: Buffer): number | undefined {
  if (answer.length < HEADER + 4 || answer.readUInt16LE(4) !== NLMSG_ERROR) return undefined;
  return Math.abs(answer.readInt32LE(HEADER));
}

function request(type: number, flags: number, attributes: readonly Buffer[]): Buffer {
  const message = Buffer.concat([Buffer.alloc(HEADER + INTERFACE_INFO), ...attributes]);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(NLM_F.REQUEST | NLM_F.ACK | flags, 6);
  return message;
}

/** Padded to a multiple of four bytes, which its length does not count. */
function attribute(type: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const length = 4 + value.length;
  const whole = Buffer.alloc(Math.ceil(length / 4) * 4);
  whole.writeUInt16LE(length, 0);
  whole.writeUInt16LE(type, 2);
  value.copy(whole, 4);
  return whole;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`, 'latin1');
