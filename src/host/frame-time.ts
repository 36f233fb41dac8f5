import { libc } from './libc.ts';

const SIOCGSTAMPNS = 0x8907;
const CLOCK_REALTIME = 0;

/** When the last frame that a packet socket gave came to it or passed, by the kernel, in nanoseconds since 1970. */
export function timeOf(socket: number): bigint {
  const time = Buffer.alloc(16);
  libc().ioctl(socket, SIOCGSTAMPNS, time);
  return nanoseconds(time);
}

/** How many milliseconds that is ago. The kernel notes times from the first call of `timeOf` on. */
export function ageOf(socket: number): number {
  const now = Buffer.alloc(16);
  libc().clockGettime(CLOCK_REALTIME, now);
  return Number(nanoseconds(now) - timeOf(socket)) / 1e6;
}

/** A struct timespec of a 64-bit system. */
function nanoseconds(time: Buffer): bigint {
  return time.readBigInt64LE(0) * 1_000_000_000n + time.readBigInt64LE(8);
}
