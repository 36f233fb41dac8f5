import { createRequire } from 'node:module';

/**
 * System calls on memory by address, for the datapath's hot loop: numbers in, a number out, nothing allocated, nothing
 * thrown. A negative result is the error number, negated. Addresses fit a double: Linux gives processes 47 bits.
 */
export type MemoryCalls = {
  read(descriptor: number, address: number, length: number): number;
  writev(descriptor: number, iovecs: number, count: number): number;
  sendmmsg(descriptor: number, messages: number, count: number, flags: number): number;
  recvmmsg(descriptor: number, messages: number, count: number, flags: number): number;
  /** @param timeoutMs -1: as long as it takes */
  poll(descriptors: number, count: number, timeoutMs: number): number;
  /** Sleeps, at least as long. */
  rest(microseconds: number): void;
  /** Where the bytes lie. Good while the view is referenced: shared memory never moves. */
  addressOf(bytes: Uint8Array): number;
};

type Native = (...args: readonly number[]) => number;

let loaded: MemoryCalls | undefined;

/** koffi is loaded once in each thread. */
export function memoryCalls(): MemoryCalls {
  loaded ??= load();
  return loaded;
}

function load(): MemoryCalls {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load('libc.so.6');
  const native = (prototype: string): Native => library.func(prototype) as Native;
  const read = native('intptr_t read(int fd, uintptr_t buffer, size_t length)');
  const writev = native('intptr_t writev(int fd, uintptr_t iovecs, int count)');
  const sendmmsg = native('int sendmmsg(int fd, uintptr_t messages, unsigned int count, int flags)');
  const recvmmsg = native('int recvmmsg(int fd, uintptr_t messages, unsigned int count, int flags, uintptr_t timeout)');
  const poll = native('int poll(uintptr_t descriptors, unsigned long count, int timeout)');
  const usleep = native('int usleep(unsigned int microseconds)');
  const orError = (result: number): number => (result < 0 ? -koffi.errno() : result);
  return {
    read: (descriptor, address, length) => orError(read(descriptor, address, length)),
    writev: (descriptor, iovecs, count) => orError(writev(descriptor, iovecs, count)),
    sendmmsg: (descriptor, messages, count, flags) => orError(sendmmsg(descriptor, messages, count, flags)),
    recvmmsg: (descriptor, messages, count, flags) => orError(recvmmsg(descriptor, messages, count, flags, 0)),
    poll: (descriptors, count, timeoutMs) => orError(poll(descriptors, count, timeoutMs)),
    rest: (microseconds) => void usleep(microseconds),
    addressOf: (bytes) => Number(koffi.address(bytes)),
  };
}
