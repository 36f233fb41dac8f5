import { createRequire } from 'node:module';

/** asm-generic/unistd.h; system calls from 424 on have one number everywhere */
const SETUP = 425;
const ENTER = 426;
const MAP_FAILED = 2 ** 64;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;

/** Pages of the kernel's, seen from here. */
export type Mapped = { readonly address: number; readonly buffer: ArrayBuffer };

/** What a ring is made of and driven by. Errors are numbers, negated. */
export type RingCalls = {
  /** A descriptor, or the error, negated. */
  setup(entries: number, params: Buffer): number;
  /** The number of calls submitted, or the error, negated. */
  enter(descriptor: number, submit: number, complete: number, flags: number): number;
  map(descriptor: number, length: number, offset: number): Mapped;
  unmap(mapped: Mapped): void;
  close(descriptor: number): void;
};

let loaded: RingCalls | undefined;

/** koffi is loaded once in each thread. */
export function ringCalls(): RingCalls {
  loaded ??= load();
  return loaded;
}

function load(): RingCalls {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load('libc.so.6');
  const setup = library.func('long syscall(long number, unsigned int entries, _Inout_ uint8_t *params)');
  const enter = library.func(
    'long syscall(long number, int fd, unsigned int submit, unsigned int complete, unsigned int flags, uintptr_t mask, size_t size)',
  ) as (...args: readonly number[]) => number;
  const mmap = library.func(
    'uintptr_t mmap(uintptr_t at, size_t length, int protection, int flags, int fd, long offset)',
  );
  const munmap = library.func('int munmap(uintptr_t at, size_t length)');
  const close = library.func('int close(int fd)');
  const orError = (result: number): number => (result < 0 ? -koffi.errno() : result);
  return {
    setup: (entries, params) => orError(setup(SETUP, entries, params) as number),
    enter: (descriptor, submit, complete, flags) => orError(enter(ENTER, descriptor, submit, complete, flags, 0, 0)),
    map: (descriptor, length, offset) => {
      const address = mmap(0, length, PROT_READ_WRITE, MAP_SHARED_POPULATE, descriptor, offset) as number | bigint;
      if (Number(address) === MAP_FAILED) throw new Error(`io_uring: mmap: error ${koffi.errno()}`);
      return { address: Number(address), buffer: koffi.view(BigInt(address), length) };
    },
    unmap: ({ address, buffer }) => void munmap(address, buffer.byteLength),
    close: (descriptor) => void close(descriptor),
  };
}
