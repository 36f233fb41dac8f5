import { message, NETLINK, text } from './netlink.ts';
import { type NetlinkMessage, numberIn, readAttributes } from './netlink-read.ts';

/** Numbers of linux/genetlink.h and linux/nl80211.h. */
const CONTROL = { TYPE: 0x10, GET_FAMILY: 3, ID: 1, NAME: 2 } as const;
const GET_INTERFACE = 5;
const ATTRIBUTE = { INDEX: 3, TYPE: 5, FOUR_ADDRESS: 83 } as const;
const [STATION, P2P_CLIENT] = [2, 8];
/** struct genlmsghdr */
const HEADER = 4;

/** A wireless interface of the namespace that was asked. */
export type WirelessMessage = {
  readonly index: number;
  /**
   * It is a station, whose access point takes frames from its one MAC (three addresses of a frame's four name the
   * station, the access point and the other end: IEEE 802.11, section 9.3.2); with four addresses it may stand for others.
   */
  readonly oneMac: boolean;
};

/** The request for the number of nl80211's messages, which each boot gives anew; ENOENT where no driver has brought it. */
export function familyQuestion(): Buffer {
  return message(CONTROL.TYPE, NETLINK.ACK, 0, header(CONTROL.GET_FAMILY), text(CONTROL.NAME, 'nl80211'));
}

export function readFamily({ type, payload }: NetlinkMessage): number | undefined {
  return type === CONTROL.TYPE ? numberIn(readAttributes(payload, HEADER), CONTROL.ID) : undefined;
}

/** The request for every wireless interface. */
export function wirelessDump(family: number): Buffer {
  return message(family, NETLINK.DUMP, 0, header(GET_INTERFACE));
}

/** One interface of the answer; undefined of any other message. */
export function readWirelessInterface({ type, payload }: NetlinkMessage, family: number): WirelessMessage | undefined {
  const attributes = type === family ? readAttributes(payload, HEADER) : undefined;
  const index = attributes && numberIn(attributes, ATTRIBUTE.INDEX);
  if (attributes === undefined || index === undefined) return undefined;
  const station = [STATION, P2P_CLIENT].includes(numberIn(attributes, ATTRIBUTE.TYPE) ?? 0);
  const fourAddress = numberIn(attributes, ATTRIBUTE.FOUR_ADDRESS) === 1;
  return { index, oneMac: station && !fourAddress };
}

function header(command: number): Buffer {
  return Buffer.from([command, 1, 0, 0]);
}
