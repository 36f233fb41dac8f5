import { macText } from '../address.ts';
import { message, NETLINK, u32 } from '../netlink.ts';
import { type Attributes, nestedIn, type NetlinkMessage, numberIn, readAttributes, textIn } from '../netlink-read.ts';
import { type LinkData, readLinkData } from './link-data.ts';
import { IFLA, IFLA_INFO, INTERFACE_INFO, RTM } from './numbers.ts';

/** Bits of ifi_flags (linux/if.h). */
const IFF_UP = 0x1;
/** Attributes of a bridge's port (linux/if_link.h). */
const BRIDGE_PORT = { HAIRPIN: 4, LEARNING: 8, ISOLATED: 33 } as const;
/** Statistics are most of a link's message, and nobody asks for them. */
const SKIP_STATISTICS = 8;

/** A link as one message of the kernel tells of it (rtnetlink(7)); others are named by their index. */
export type LinkMessage = {
  readonly index: number;
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  /** somebody has asked it for all frames */
  readonly promiscuous: boolean;
  readonly group: number;
  readonly alias: string;
  /** empty for a physical interface */
  readonly kind: string;
  readonly data: LinkData;
  /** parent or peer, in the namespace that `parentElsewhere` tells */
  readonly parent: number | undefined;
  readonly parentElsewhere: boolean;
  readonly master: number | undefined;
  /** of a bridge's port */
  readonly port: { readonly isolated: boolean; readonly hairpin: boolean } | undefined;
  /** of a bridge's port: whether the bridge learns who is behind it */
  readonly learns: boolean | undefined;
};

/** The request for every link of a namespace. */
export function linkDump(): Buffer {
  return message(RTM.GETLINK, NETLINK.DUMP, 0, INTERFACE_INFO, u32(IFLA.EXT_MASK, SKIP_STATISTICS));
}

/** One link of the answer; undefined of any other message. */
export function readLink({ type, payload }: NetlinkMessage): LinkMessage | undefined {
  if (type !== RTM.NEWLINK || payload.length < INTERFACE_INFO.length) return undefined;
  const attributes = readAttributes(payload, INTERFACE_INFO.length);
  const info = nestedIn(attributes, IFLA.LINKINFO);
  const kind = textIn(info, IFLA_INFO.KIND) ?? '';
  return {
    index: payload.readInt32LE(4),
    name: textIn(attributes, IFLA.IFNAME) ?? '',
    mac: macText(attributes.get(IFLA.ADDRESS) ?? Buffer.alloc(0)),
    mtu: numberIn(attributes, IFLA.MTU) ?? 0,
    up: (payload.readUInt32LE(8) & IFF_UP) !== 0,
    promiscuous: (numberIn(attributes, IFLA.PROMISCUITY) ?? 0) > 0,
    group: numberIn(attributes, IFLA.GROUP) ?? 0,
    alias: textIn(attributes, IFLA.IFALIAS) ?? '',
    kind,
    data: readLinkData(kind, nestedIn(info, IFLA_INFO.DATA)),
    // 0: a tunnel that is bound to no interface
    parent: numberIn(attributes, IFLA.LINK) || undefined,
    parentElsewhere: attributes.has(IFLA.LINK_NETNSID),
    master: numberIn(attributes, IFLA.MASTER),
    ...portOf(info),
  };
}

function portOf(info: Attributes): Pick<LinkMessage, 'port' | 'learns'> {
  if (textIn(info, IFLA_INFO.SLAVE_KIND) !== 'bridge') return { port: undefined, learns: undefined };
  const data = nestedIn(info, IFLA_INFO.SLAVE_DATA);
  const isOn = (type: number): boolean => numberIn(data, type) === 1;
  const port = { isolated: isOn(BRIDGE_PORT.ISOLATED), hairpin: isOn(BRIDGE_PORT.HAIRPIN) };
  return { port, learns: isOn(BRIDGE_PORT.LEARNING) };
}
