/**
 * The two ports of the datapath, shaped for batches over one memory: what is read lands in it, what is written is
 * described in it by the kernel's own structures. Offsets are bytes into the memory of whoever calls. A negative result
 * is an error number of Linux, negated; -EAGAIN where nothing waits or nothing more fits.
 */

/** What each call of a batch came to, in order; good until the next batch. */
export type Results = Int32Array;

/** Frames that a TAP takes in one batch. */
export const TAP_BATCH = 64;

/** One network's door to its workloads on this gateway: a TAP whose frames carry a virtio header. */
export interface Tap {
  /** Reads a frame into each of `count` slots of `size` bytes, which begin at `at`: their lengths, virtio header included. */
  read(at: number, size: number, count: number): Results;
  /** Takes a frame, gathered from `count` iovecs, for the next `flush`. */
  put(iovecs: number, count: number): void;
  /** Writes what was put, at most `TAP_BATCH` frames: the bytes taken of each. */
  flush(): Results;
}

/** The road to the other gateways: UDP sockets, one bound to VXLAN's port to receive, a pool of others to send. */
export interface Underlay {
  /** Sends messages (struct mmsghdr) from a socket of the pool; how many were taken. */
  send(socket: number, messages: number, count: number): number;
  /** Fills at most `count` messages with what waits; how many. */
  receive(messages: number, count: number): number;
}

/** Linux's numbers of the errors that the datapath tells apart; the same on x86-64 and arm64. */
export const ERRNO = {
  EINTR: 4,
  EIO: 5,
  EAGAIN: 11,
  EINVAL: 22,
  EBADFD: 77,
  EMSGSIZE: 90,
  EOPNOTSUPP: 95,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
} as const;
