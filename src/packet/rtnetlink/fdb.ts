import { macText } from '../address.ts';
import { message, NETLINK } from '../netlink.ts';
import { addressIn, type NetlinkMessage, bigEndianIn, readAttributes } from '../netlink-read.ts';
import { FAMILY, INTERFACE_INFO, RTM } from './numbers.ts';

const NDA = { DST: 1, LLADDR: 2, PORT: 6 } as const;
/** struct ndmsg */
const HEADER = 12;
const STATE_PERMANENT = 0x80;

/** An entry of a forwarding table that leads to a remote VTEP, or a neighbour: they are one message. */
export type FdbMessage = {
  readonly index: number;
  readonly mac: string;
  readonly ip: string;
  /** where it is not the device's own */
  readonly port: number | undefined;
  readonly permanent: boolean;
};

/** The request for the forwarding table of the interface with that index (linux: rtnl_fdb_dump). */
export function fdbDump(index: number): Buffer {
  const header = Buffer.from(INTERFACE_INFO);
  header.writeUInt8(FAMILY.BRIDGE, 0);
  header.writeInt32LE(index, 4);
  return message(RTM.GETNEIGH, NETLINK.DUMP, 0, header);
}

/** The request for the neighbours of every interface, IPv4's and IPv6's. */
export function neighbourDump(): Buffer {
  return message(RTM.GETNEIGH, NETLINK.DUMP, 0, Buffer.alloc(HEADER));
}

/** One entry of the answer; undefined of any other message, and of an entry without an address. */
export function readFdbEntry({ type, payload }: NetlinkMessage): FdbMessage | undefined {
  if (type !== RTM.NEWNEIGH || payload.length < HEADER) return undefined;
  const attributes = readAttributes(payload, HEADER);
  const [mac, ip] = [attributes.get(NDA.LLADDR), addressIn(attributes, NDA.DST)];
  if (mac === undefined || ip === undefined) return undefined;
  return {
    index: payload.readInt32LE(4),
    mac: macText(mac),
    ip,
    port: bigEndianIn(attributes, NDA.PORT),
    permanent: (payload.readUInt16LE(8) & STATE_PERMANENT) !== 0,
  };
}
