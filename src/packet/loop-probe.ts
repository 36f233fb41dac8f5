import type { LoopProber } from '../model/guards.ts';
import type { Mac } from '../model/mac.ts';
import { BROADCAST, ETHERNET_HEADER_LENGTH, writeEthernetHeader } from './ethernet.ts';

/** IEEE 802's local experimental EtherType 1; what follows it must say whose it is (RFC 9542 section 2.1). */
export const ETHERTYPE_LOCAL = 0x88b5;
export const PROBE_MAGIC = 0x4c_53_4c_50;

const [MAGIC_AT, KEY_AT, VNI_AT, NAME_AT] = [14, 18, 26, 30];
const NAME_MAX = 64;
export const PROBE_LENGTH = NAME_AT + NAME_MAX;

/** Part of a probe frame: first byte and length, in bytes. */
export type ProbePart = { readonly at: number; readonly length: number };

export const PROBE_MAGIC_PART: ProbePart = { at: MAGIC_AT, length: KEY_AT - MAGIC_AT };
/** Whose it is, told by what nobody else knows. */
export const PROBE_SECRET_PART: ProbePart = { at: KEY_AT, length: NAME_AT - KEY_AT };
/** The last byte of a name's room, which no name fills: not zero once somebody let it pass against the order. */
export const PROBE_MARK_PART: ProbePart = { at: PROBE_LENGTH - 1, length: 1 };
/** Whose it is, in the order of all probers. */
export const PROBE_RANK_PART: ProbePart = { at: VNI_AT, length: PROBE_MARK_PART.at - VNI_AT };

/**
 * A probe as a whole frame of 94 bytes: a broadcast, so that it takes the way of all that a loop would multiply.
 * Behind the EtherType a magic number (4 bytes), the key (8), the VNI (4) and the gateway's name, padded with zeros (64),
 * the last of which is the mark.
 * @param source the MAC of the port that it leaves by
 */
export function loopProbe(source: Mac, prober: Omit<LoopProber, 'former'>): Buffer {
  const frame = probeOf(prober);
  writeEthernetHeader(frame, BROADCAST, source, ETHERTYPE_LOCAL);
  return frame;
}

/** The same, with both addresses left empty: what a filter compares with. */
export function probeOf({ vni, gateway, key }: Omit<LoopProber, 'former'>): Buffer {
  const frame = Buffer.alloc(PROBE_LENGTH);
  frame.writeUInt32BE(PROBE_MAGIC, MAGIC_AT);
  key.copy(frame, KEY_AT, 0, VNI_AT - KEY_AT);
  frame.writeUInt32BE(vni, VNI_AT);
  frame.write(gateway, NAME_AT, NAME_MAX, 'latin1');
  return frame;
}

/** The sender's name and network; undefined of anything else, and of a name that is no gateway's. */
export function readLoopProbe(frame: Buffer): Pick<LoopProber, 'vni' | 'gateway'> | undefined {
  if (frame.length < PROBE_LENGTH || frame.readUInt16BE(ETHERNET_HEADER_LENGTH - 2) !== ETHERTYPE_LOCAL)
    return undefined;
  if (frame.readUInt32BE(MAGIC_AT) !== PROBE_MAGIC) return undefined;
  const gateway = /^([a-z0-9-]{1,63})\0*$/.exec(frame.toString('latin1', NAME_AT, PROBE_MARK_PART.at))?.[1];
  return gateway === undefined ? undefined : { vni: frame.readUInt32BE(VNI_AT), gateway };
}
