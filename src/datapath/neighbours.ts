import { internetChecksum } from '../packet/checksum.ts';
import { ETHERNET_HEADER } from './frame.ts';

/** A neighbour in bytes: length of the address, the address in a field of 16, the MAC. */
export const NEIGHBOUR_ROW = 23;
const MAC_AT = 17;

/** MACs by address, for what is asked of all: there a text as key costs nothing that counts. */
export class NeighbourTable {
  readonly #macs = new Map<string, Buffer>();

  /** @param rows `NEIGHBOUR_ROW` bytes each */
  constructor(rows: Uint8Array) {
    const bytes = Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength);
    for (let at = 0; at + NEIGHBOUR_ROW <= bytes.length; at += NEIGHBOUR_ROW) {
      const address = bytes.subarray(at + 1, at + 1 + bytes.readUInt8(at));
      this.#macs.set(keyOf(address), bytes.subarray(at + MAC_AT, at + NEIGHBOUR_ROW));
    }
  }

  get size(): number {
    return this.#macs.size;
  }

  /** @param address 4 or 16 bytes */
  get(address: Buffer): Buffer | undefined {
    return this.#macs.get(keyOf(address));
  }
}

function keyOf(address: Buffer): string {
  return address.toString('latin1');
}

const ARP = 28;
const BROADCAST = Buffer.from('ffffffffffff', 'hex');
// From the EtherType to the operation (RFC 826)
const [ARP_HEADER, ARP_REPLY_HEADER] = [
  Buffer.from('08060001080006040001', 'hex'),
  Buffer.from('08060001080006040002', 'hex'),
];

const [IPV6_HEADER, SOLICITATION] = [40, 32];
const [SOLICITED_NODE_MAC, SOLICITED_NODE] = [
  Buffer.from('3333ff', 'hex'),
  Buffer.from('ff0200000000000000000001ff', 'hex'),
];
const ETHERTYPE_IPV6 = Buffer.from('86dd', 'hex');
// Length, next header (ICMPv6) and hop limit of a solicitation with one option of 8 bytes, the sender's MAC
const LENGTH_TO_HOPS = Buffer.from('00203aff', 'hex');
const [SOLICITATION_TYPE, SOURCE_OPTION] = [Buffer.from('8700', 'hex'), Buffer.from('0101', 'hex')];
// An advertisement, solicited and override, of no router (RFC 4861 section 4.4)
const ADVERTISEMENT = Buffer.from('8800000060000000', 'hex');
const TARGET_OPTION = Buffer.from('0201', 'hex');
const ICMPV6 = 58;

/**
 * The answer, as a whole frame, to one that asks all for the MAC of an address in the table: an ARP request, a probe too;
 * a neighbour solicitation of a host that has an address. Undefined for all others, and where whoever asks says that an
 * address in the table is its own: it has moved, or is there twice, and all are to hear that.
 */
export function neighbourAnswer(frame: Buffer, table: NeighbourTable): Buffer | undefined {
  return isArpRequest(frame) ? arpReply(frame, table) : isSolicitation(frame) ? advertisement(frame, table) : undefined;
}

function holds(frame: Buffer, at: number, bytes: Buffer): boolean {
  return frame.compare(bytes, 0, bytes.length, at, at + bytes.length) === 0;
}

function isArpRequest(frame: Buffer): boolean {
  return frame.length >= ETHERNET_HEADER + ARP && holds(frame, 0, BROADCAST) && holds(frame, 12, ARP_HEADER);
}

function arpReply(frame: Buffer, table: NeighbourTable): Buffer | undefined {
  const [sender, target] = [frame.subarray(28, 32), frame.subarray(38, 42)];
  const mac = table.get(target);
  if (mac === undefined || table.get(sender) !== undefined) return undefined;
  const asker = frame.subarray(6, 12);
  return Buffer.concat([asker, mac, ARP_REPLY_HEADER, mac, target, frame.subarray(22, 28), sender]);
}

function isSolicitation(frame: Buffer): boolean {
  return (
    frame.length >= ETHERNET_HEADER + IPV6_HEADER + SOLICITATION &&
    holds(frame, 0, SOLICITED_NODE_MAC) &&
    holds(frame, 12, ETHERTYPE_IPV6) &&
    holds(frame, 18, LENGTH_TO_HOPS) &&
    holds(frame, 38, SOLICITED_NODE) &&
    holds(frame, 54, SOLICITATION_TYPE) &&
    holds(frame, 78, SOURCE_OPTION)
  );
}

function advertisement(frame: Buffer, table: NeighbourTable): Buffer | undefined {
  const [source, target] = [frame.subarray(22, 38), frame.subarray(62, 78)];
  const mac = table.get(target);
  // From nobody's address: duplicate address detection, whose answers go to all.
  if (mac === undefined || table.get(source) !== undefined || source.every((byte) => byte === 0)) return undefined;
  if (checksum(source, frame.subarray(38, 54), frame.subarray(54, 86)) !== 0) return undefined;
  const message = Buffer.concat([ADVERTISEMENT, target, TARGET_OPTION, mac]);
  message.writeUInt16BE(checksum(target, source, message), 2);
  return Buffer.concat([frame.subarray(6, 12), mac, frame.subarray(12, 22), target, source, message]);
}

/** Over the pseudo-header as well (RFC 8200 section 8.1). */
function checksum(source: Buffer, target: Buffer, message: Buffer): number {
  return internetChecksum(source, target, Buffer.of(0, 0, 0, message.length, 0, 0, 0, ICMPV6), message);
}
