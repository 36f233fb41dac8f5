import { message, NETLINK } from '../netlink.ts';
import { addressIn, type NetlinkMessage, readAttributes } from '../netlink-read.ts';
import { FAMILY, RTM } from './numbers.ts';

const IFA = { ADDRESS: 1, LOCAL: 2 } as const;
const SCOPE_LINK = 253;
/** struct ifaddrmsg */
const HEADER = 8;

/** An address of an interface, as `ADDRESS/LENGTH`. */
export type AddressMessage = {
  readonly index: number;
  readonly prefix: string;
  /** IPv6's own for each link, which the kernel makes */
  readonly linkLocal: boolean;
};

/** The request for every address of a namespace. */
export function addressDump(): Buffer {
  return message(RTM.GETADDR, NETLINK.DUMP, 0, Buffer.alloc(HEADER));
}

/** One address of the answer; undefined of any other message. */
export function readAddress({ type, payload }: NetlinkMessage): AddressMessage | undefined {
  if (type !== RTM.NEWADDR || payload.length < HEADER) return undefined;
  const attributes = readAttributes(payload, HEADER);
  // Of a point-to-point address, IFA_ADDRESS is the other end.
  const local = addressIn(attributes, IFA.LOCAL) ?? addressIn(attributes, IFA.ADDRESS);
  if (local === undefined) return undefined;
  return {
    index: payload.readUInt32LE(4),
    prefix: `${local}/${payload.readUInt8(1)}`,
    linkLocal: payload.readUInt8(0) === FAMILY.IPV6 && payload.readUInt8(3) === SCOPE_LINK,
  };
}
