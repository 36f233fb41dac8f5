/**
 * The two ports of the datapath, shaped for batches over one memory: what is read lands in it, what is written is
 * described in it by the kernel's own structures. Offsets are bytes into the memory of whoever calls. A negative result
 * is an error number of Linux, negated; -EAGAIN where nothing waits or nothing more fits.
 */

/** One network's door to its workloads on this gateway: a TAP whose frames carry a virtio header. */
export interface Tap {
  /** Reads one frame to `at`; its length, virtio header included. */
  read(at: number, room: number): number;
  /** Writes one frame, gathered from `count` iovecs; the bytes taken. */
  write(iovecs: number, count: number): number;
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
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  ECONNREFUSED: 111,
  EHOSTUNREACH: 113,
} as const;
