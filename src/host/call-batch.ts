import { ERRNO } from '../datapath/ports.ts';
import type { MemoryCalls } from './memory-calls.ts';
import { Ring } from './ring.ts';

/**
 * Reads and writes that are prepared first and run together, in order. None of them waits: what cannot be done at once
 * fails with EAGAIN. Results are as in `MemoryCalls`.
 */
export interface CallBatch {
  /** what makes it one, if anything */
  readonly kind: 'io_uring' | 'none';
  /** how many calls one batch takes */
  readonly size: number;
  read(descriptor: number, address: number, length: number): void;
  writev(descriptor: number, iovecs: number, count: number): void;
  /** Runs what was prepared; what each call came to, good until the next run. */
  run(): Int32Array;
  close(): void;
}

/**
 * The best that this kernel has for descriptors of one kind.
 * @param descriptor such a one, which is read from: io_uring refuses not to wait where a driver does not know how to
 */
export function openCallBatch(calls: MemoryCalls, size: number, descriptor: number): CallBatch {
  const ring = Ring.open(size);
  if (ring === undefined) return new SingleCalls(calls, size);
  ring.read(descriptor, 0, 0);
  if (ring.run()[0] !== -ERRNO.EOPNOTSUPP) return ring;
  ring.close();
  return new SingleCalls(calls, size);
}

/** One system call after the other, on descriptors that do not block, where there is no io_uring. */
export class SingleCalls implements CallBatch {
  readonly kind = 'none';
  readonly size: number;
  readonly #calls: MemoryCalls;
  readonly #isRead: Uint8Array;
  readonly #descriptors: Int32Array;
  readonly #addresses: Float64Array;
  readonly #lengths: Int32Array;
  readonly #results: Int32Array;
  #count = 0;

  constructor(calls: MemoryCalls, size: number) {
    this.#calls = calls;
    this.size = size;
    this.#isRead = new Uint8Array(size);
    this.#descriptors = new Int32Array(size);
    this.#addresses = new Float64Array(size);
    this.#lengths = new Int32Array(size);
    this.#results = new Int32Array(size);
  }

  read(descriptor: number, address: number, length: number): void {
    this.#prepare(1, descriptor, address, length);
  }

  writev(descriptor: number, iovecs: number, count: number): void {
    this.#prepare(0, descriptor, iovecs, count);
  }

  run(): Int32Array {
    for (let index = 0; index < this.#count; index += 1) this.#results[index] = this.#runOne(index);
    this.#count = 0;
    return this.#results;
  }

  close(): void {
    this.#count = 0;
  }

  #prepare(isRead: number, descriptor: number, address: number, length: number): void {
    if (this.#count === this.size) throw new RangeError(`a batch takes ${this.size} calls`);
    this.#isRead[this.#count] = isRead;
    this.#descriptors[this.#count] = descriptor;
    this.#addresses[this.#count] = address;
    this.#lengths[this.#count] = length;
    this.#count += 1;
  }

  #runOne(index: number): number {
    const descriptor = this.#descriptors[index] ?? -1;
    const address = this.#addresses[index] ?? 0;
    const length = this.#lengths[index] ?? 0;
    if (this.#isRead[index] === 0) return this.#calls.writev(descriptor, address, length);
    // Where nothing waits, nothing waits for the next read either.
    const isDry = index > 0 && this.#results[index - 1] === -ERRNO.EAGAIN;
    return isDry ? -ERRNO.EAGAIN : this.#calls.read(descriptor, address, length);
  }
}
