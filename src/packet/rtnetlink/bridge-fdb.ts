import { macText } from '../address.ts';
import { type NetlinkMessage, readAttributes } from '../netlink-read.ts';
import { RTM } from './numbers.ts';

const NDA_LLADDR = 2;
/** struct ndmsg, and its state and flags (linux/neighbour.h) */
const HEADER = 12;
const STATE_PERMANENT = 0x80;
const FLAG = { SELF: 0x02, EXTERNALLY_LEARNED: 0x10, STICKY: 0x40 } as const;

/** An entry of a bridge's own forwarding table (linux: br_fdb_dump). */
export type BridgeFdbMessage = {
  /** index of the port, or of the bridge itself */
  readonly index: number;
  readonly mac: string;
  readonly permanent: boolean;
  /** told by a control plane, which also takes it away: it does not age */
  readonly told: boolean;
  /** stays at its port, whoever sends with that MAC from another; does not age either */
  readonly sticky: boolean;
};

/** One entry of the answer to `fdbDump` of a bridge; undefined of any other, such as its list of accepted MACs. */
export function readBridgeEntry({ type, payload }: NetlinkMessage): BridgeFdbMessage | undefined {
  if (type !== RTM.NEWNEIGH || payload.length < HEADER) return undefined;
  const flags = payload.readUInt8(10);
  const mac = readAttributes(payload, HEADER).get(NDA_LLADDR);
  if (mac === undefined || (flags & FLAG.SELF) !== 0) return undefined;
  return {
    index: payload.readInt32LE(4),
    mac: macText(mac),
    permanent: (payload.readUInt16LE(8) & STATE_PERMANENT) !== 0,
    told: (flags & FLAG.EXTERNALLY_LEARNED) !== 0,
    sticky: (flags & FLAG.STICKY) !== 0,
  };
}
