import { familyOf } from '../../model/ip.ts';
import { addressBytes } from '../address.ts';
import { attribute, message, NETLINK } from '../netlink.ts';
import { addressIn, type NetlinkMessage, numberIn, readAttributes } from '../netlink-read.ts';
import { FAMILY, RTM } from './numbers.ts';

const RTA = { DST: 1, OIF: 4, PREFSRC: 7 } as const;
/** struct rtmsg */
const HEADER = 12;

export type RouteMessage = {
  /** an address, or `ADDRESS/LENGTH`; empty for the default route */
  readonly to: string;
  readonly device: number | undefined;
  readonly source: string | undefined;
  /** who made it (rtm_protocol), and its table */
  readonly protocol: number;
  readonly table: number;
};

/** The request for every route of one family. */
export function routeDump(family: 4 | 6): Buffer {
  return message(RTM.GETROUTE, NETLINK.DUMP, 0, header(family, 0));
}

/** The request for the route that a packet to `address` would take. */
export function routeQuestion(address: string): Buffer {
  const family = familyOf(address);
  const bytes = addressBytes(address, family);
  return message(RTM.GETROUTE, NETLINK.ACK, 0, header(family, bytes.length * 8), attribute(RTA.DST, bytes));
}

/** One route of the answer; undefined of any other message. */
export function readRoute({ type, payload }: NetlinkMessage): RouteMessage | undefined {
  if (type !== RTM.NEWROUTE || payload.length < HEADER) return undefined;
  const attributes = readAttributes(payload, HEADER);
  const destination = addressIn(attributes, RTA.DST);
  return {
    to: destination === undefined ? '' : prefixText(destination, payload.readUInt8(1)),
    device: numberIn(attributes, RTA.OIF),
    source: addressIn(attributes, RTA.PREFSRC),
    protocol: payload.readUInt8(5),
    table: payload.readUInt8(4),
  };
}

function prefixText(address: string, length: number): string {
  return length === (familyOf(address) === 4 ? 32 : 128) ? address : `${address}/${length}`;
}

function header(family: 4 | 6, length: number): Buffer {
  const bytes = Buffer.alloc(HEADER);
  bytes.writeUInt8(family === 4 ? FAMILY.IPV4 : FAMILY.IPV6, 0);
  bytes.writeUInt8(length, 1);
  return bytes;
}
