import { libc, SystemCallError } from './libc.ts';

/** `adjtimex`'s answer for a clock that no time source has set (TIME_ERROR in linux/timex.h). */
const TIME_ERROR = 5;

/**
 * Whether the wall clock is synchronised. The kernel is asked and not a time service's file, since chrony, ntpd and
 * systemd-timesyncd all tell the kernel, and each has a file of its own. Where it will not say, the clock is not.
 */
export function clockIsSynchronised(): boolean {
  try {
    return libc().adjtimex() !== TIME_ERROR;
  } catch (error) {
    if (error instanceof SystemCallError) return false;
    throw error;
  }
}
