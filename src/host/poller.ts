import { libc } from './libc.ts';
import type { MemoryCalls } from './memory-calls.ts';

const POLLFD_SIZE = 8;
const POLLIN = 1;
const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;

/** A set of descriptors that a thread sleeps on. The first is its bell, by which other threads wake it. */
export class Poller {
  readonly #calls: MemoryCalls;
  readonly #set: Int16Array;
  readonly #address: number;
  readonly #count: number;
  readonly #bell: number;
  readonly #drain = Buffer.alloc(8);

  constructor(calls: MemoryCalls, bell: number, descriptors: readonly number[]) {
    this.#calls = calls;
    this.#bell = bell;
    this.#count = descriptors.length + 1;
    const buffer = new SharedArrayBuffer(this.#count * POLLFD_SIZE);
    const view = new DataView(buffer);
    for (const [index, descriptor] of [bell, ...descriptors].entries()) {
      view.setInt32(index * POLLFD_SIZE, descriptor, true);
      view.setInt16(index * POLLFD_SIZE + 4, POLLIN, true);
    }
    this.#set = new Int16Array(buffer);
    this.#address = calls.addressOf(new Uint8Array(buffer));
  }

  /** Sleeps until a descriptor has something, or `timeoutMs` pass (-1: for ever). True where the bell was rung. */
  wait(timeoutMs: number): boolean {
    if (this.#calls.poll(this.#address, this.#count, timeoutMs) <= 0) return false;
    if ((this.#set[3] ?? 0) === 0) return false;
    this.#calls.read(this.#bell, this.#calls.addressOf(this.#drain), 8);
    return true;
  }

  /** Whether descriptor number `index` of the list has something, or an error to tell. */
  isReady(index: number): boolean {
    return (this.#set[(index + 1) * 4 + 3] ?? 0) !== 0;
  }
}

/** A new bell (eventfd(2)). */
export function makeBell(): number {
  return libc().eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

/** Wakes whoever sleeps on it; rung twice, it wakes once. */
export function ring(bell: number): void {
  libc().write(bell, ONE);
}

/** Nobody sleeps on it any more. */
export function silence(bell: number): void {
  libc().close(bell);
}

const ONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
