/**
 * When a gateway published something: everything it publishes, records and alive alike, takes the next `seq` of its
 * epoch, so that any two documents of one owner are ordered.
 *
 * A will is fixed when its connection is made but speaks for the connection's end. So every connection opens a new
 * block of 2^28 numbers and its will holds the block's last one: the will is newer than all that connection said and
 * older than the rebirth on the next connection, of the same epoch or a later one, however late it is delivered.
 */
export type Stamp = { readonly epoch: number; readonly seq: number };

/** Publications one connection may make: 2^28 leave room for 2^25 connections in an epoch. */
export const SESSION_BLOCK = 2 ** 28;

/**
 * An epoch counts a gateway's starts, so no real one comes near; the bound keeps a forged one from using up the numbers
 * above it. Only half of it is ever followed: whoever does still has 2^31 starts left.
 */
export const EPOCH_MAX = 2 ** 32 - 1;
export const EPOCH_FOLLOWED_MAX = 2 ** 31 - 1;

/** Before anything a gateway can publish. */
export const NEVER: Stamp = { epoch: -1, seq: -1 };

/** Negative when `a` was published before `b`, 0 when they are the same publication. */
export function compareStamps(a: Stamp, b: Stamp): number {
  return a.epoch - b.epoch || a.seq - b.seq;
}

export function later(a: Stamp, b: Stamp): Stamp {
  return compareStamps(a, b) > 0 ? a : b;
}
