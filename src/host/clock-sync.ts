import { createRequire } from 'node:module';

/** struct timex (linux/timex.h) on 64-bit machines; all zero: nothing is to be set. */
const TIMEX_BYTES = 208;
/** `adjtimex`'s answer for a clock that no time source has set. */
const TIME_ERROR = 5;

type Adjtimex = (timex: Uint8Array) => number;

let adjtimex: Adjtimex | undefined;

/**
 * Whether the wall clock is synchronised. The kernel is asked and not a time service's file, since chrony, ntpd and
 * systemd-timesyncd all tell the kernel, and each has a file of its own. Where it will not say (-1), the clock is not.
 */
export function clockIsSynchronised(): boolean {
  adjtimex ??= load();
  const state = adjtimex(new Uint8Array(TIMEX_BYTES));
  return state >= 0 && state !== TIME_ERROR;
}

function load(): Adjtimex {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  return koffi.load('libc.so.6').func('int adjtimex(_Inout_ void *timex)') as Adjtimex;
}
