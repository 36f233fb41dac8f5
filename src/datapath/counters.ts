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
  /** requests for a neighbour that were answered here instead of flooded */
  'suppressed',
] as const;

export type TrafficCounter = (typeof TRAFFIC)[number];

const NAMES = [...DROP_REASONS, ...TRAFFIC] as const;

/** A counter's place. By constant, since a lookup by name was 2 % of the workers' time. */
export const COUNTER = Object.fromEntries(NAMES.map((name, index) => [name, index])) as {
  readonly [N in (typeof NAMES)[number]]: number;
};

export const COUNTERS_BYTES = NAMES.length * 8;

export type Counts = { readonly drops: Readonly<Record<DropReason, number>> } & Readonly<
  Record<TrafficCounter, number>
>;

/**
 * One direction's counters, in memory that other threads read. Only one thread writes them, and eight aligned bytes are
 * never seen half-written, so nothing is locked.
 */
export class Counters {
  readonly #values: Float64Array;

  constructor(buffer: ArrayBufferLike = new ArrayBuffer(COUNTERS_BYTES)) {
    this.#values = new Float64Array(buffer, 0, NAMES.length);
  }

  /** @param counter of `COUNTER` */
  add(counter: number, by: number): void {
    this.#values[counter] = (this.#values[counter] ?? 0) + by;
  }

  get(counter: number): number {
    return this.#values[counter] ?? 0;
  }
}

/** The sum of several directions' counters; zeros for none. */
export function totals(all: readonly Counters[]): Counts {
  const sum = (counter: number): number => all.reduce((total, one) => total + one.get(counter), 0);
  const drops = Object.fromEntries(DROP_REASONS.map((reason) => [reason, sum(COUNTER[reason])]));
  const traffic = Object.fromEntries(TRAFFIC.map((name) => [name, sum(COUNTER[name])]));
  return { drops, ...traffic } as Counts;
}
