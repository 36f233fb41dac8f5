/** Why a frame was dropped. Each has one counter, and each frame that is not delivered counts once. */
export const DROP_REASONS = [
  /** shorter than its headers */
  'truncated',
  /** offsets or lengths in it that point past its end */
  'malformed',
  /** larger than the network's MTU */
  'too_big',
  /** carries our own UDP port: an overlay inside itself */
  'nested',
  /** source MAC with the group bit, or all zero */
  'group_source',
  /** to an address that bridges never pass: STP, LACP, pause (IEEE 802.1Q table 8-1) */
  'link_local',
  /** carries an 802.1Q tag (RFC 7348 section 6.1) */
  'inner_vlan',
  /** broadcast, unknown or multicast above the network's limit */
  'storm',
  /** nobody to send it to */
  'no_peer',
  /** no I flag (RFC 7348 section 5) */
  'bad_flags',
  /** a network that this gateway does not have */
  'unknown_vni',
  /** from an address that is no known peer of the network */
  'unknown_source',
  /** an IPv4, TCP or UDP checksum inside that does not fit */
  'bad_checksum',
  /** the receiver's queue was full */
  'queue_full',
  /** the underlay has no way to the peer */
  'unreachable',
  /** the TAP is gone or down */
  'tap_down',
  /** any other error of the kernel's */
  'host_error',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

/** What is counted beside the drops; frames are the network's, super-frames count as their segments. */
export const TRAFFIC = [
  'tap_reads',
  'tap_writes',
  'sent_frames',
  'sent_bytes',
  'sent_messages',
  'received_frames',
  'received_bytes',
  'received_messages',
] as const;

export type TrafficCounter = (typeof TRAFFIC)[number];

const NAMES = [...DROP_REASONS, ...TRAFFIC];
const INDEX = new Map<string, number>(NAMES.map((name, index) => [name, index]));

export const COUNTERS_BYTES = NAMES.length * 8;

export type Counts = { readonly drops: Readonly<Record<DropReason, number>> } & Readonly<Record<TrafficCounter, number>>;

/**
 * One direction's counters, in memory that other threads read. Only one thread writes them, and eight aligned bytes are
 * never seen half-written, so nothing is locked.
 */
export class Counters {
  readonly #values: Float64Array;

  constructor(buffer: ArrayBufferLike = new ArrayBuffer(COUNTERS_BYTES), offset = 0) {
    this.#values = new Float64Array(buffer, offset, NAMES.length);
  }

  drop(reason: DropReason, frames = 1): void {
    this.#add(reason, frames);
  }

  count(what: TrafficCounter, by = 1): void {
    this.#add(what, by);
  }

  get(name: DropReason | TrafficCounter): number {
    return this.#values[INDEX.get(name) ?? -1] ?? 0;
  }

  #add(name: string, by: number): void {
    const index = INDEX.get(name) ?? 0;
    this.#values[index] = (this.#values[index] ?? 0) + by;
  }
}

/** The sum of several directions' counters. */
export function totals(all: readonly Counters[]): Counts {
  const sum = (name: DropReason | TrafficCounter): number => all.reduce((total, one) => total + one.get(name), 0);
  const drops = Object.fromEntries(DROP_REASONS.map((reason) => [reason, sum(reason)]));
  const traffic = Object.fromEntries(TRAFFIC.map((name) => [name, sum(name)]));
  return { drops, ...traffic } as Counts;
}
