import { ERRNO } from '../datapath/ports.ts';
import type { CallBatch } from './call-batch.ts';
import { type Mapped, type RingCalls, ringCalls } from './ring-calls.ts';

/** linux/io_uring.h, linux/fs.h */
const URING = {
  SETUP_SINGLE_ISSUER: 1 << 12,
  SETUP_DEFER_TASKRUN: 1 << 13,
  OFF_RING: 0,
  OFF_SQES: 0x1000_0000,
  OP_WRITEV: 2,
  OP_READ: 22,
  ENTER_GETEVENTS: 1,
  RWF_NOWAIT: 8,
} as const;
/** After so many refusals for want of memory in a row, the process had better start anew. */
const REFUSALS_MAX = 1000;

/** struct io_uring_params: flags at 8, then the offsets of both rings */
const PARAMS = { size: 120, flags: 8, submission: 40, completion: 80 } as const;
/** struct io_uring_sqe, struct io_uring_cqe, in 32-bit words */
const SQE = { words: 16, opcode: 0, descriptor: 1, offset: 2, address: 4, length: 6, flags: 7, userData: 8 } as const;
const CQE = { words: 4, userData: 0, result: 2 } as const;

/**
 * Many system calls in one (io_uring_enter(2)). Rings and entries are the kernel's pages, seen as typed arrays. Nothing
 * runs behind this thread's back: every call ends before `run` returns, since none may wait (RWF_NOWAIT), and completes
 * on this thread (IORING_SETUP_DEFER_TASKRUN); hence no memory barriers.
 */
export class Ring implements CallBatch {
  readonly kind = 'io_uring';
  readonly size: number;
  readonly #calls: RingCalls;
  readonly #descriptor: number;
  readonly #mapped: readonly Mapped[];
  readonly #entries: Int32Array;
  readonly #completions: Int32Array;
  readonly #words: Int32Array;
  readonly #submissionTail: number;
  readonly #completionHead: number;
  readonly #completionTail: number;
  readonly #completionMask: number;
  readonly #results: Int32Array;
  #tail = 0;
  #head = 0;
  #count = 0;

  /** A ring for batches of `size`, a power of two; undefined where the kernel has none like it (before 6.1), or forbids it. */
  static open(size: number): Ring | undefined {
    const calls = ringCalls();
    const params = Buffer.alloc(PARAMS.size);
    params.writeUInt32LE(URING.SETUP_SINGLE_ISSUER | URING.SETUP_DEFER_TASKRUN, PARAMS.flags);
    const descriptor = calls.setup(size, params);
    return descriptor < 0 ? undefined : new Ring(size, calls, descriptor, params);
  }

  private constructor(size: number, calls: RingCalls, descriptor: number, params: Buffer) {
    this.size = size;
    this.#calls = calls;
    this.#descriptor = descriptor;
    const submission = (field: number): number => params.readUInt32LE(PARAMS.submission + field * 4);
    const completion = (field: number): number => params.readUInt32LE(PARAMS.completion + field * 4);
    const completions = params.readUInt32LE(4);
    // Both rings lie in one mapping (IORING_FEAT_SINGLE_MMAP, Linux 5.4).
    const ringBytes = Math.max(submission(6) + size * 4, completion(5) + completions * CQE.words * 4);
    const ring = calls.map(descriptor, ringBytes, URING.OFF_RING);
    const entries = calls.map(descriptor, size * SQE.words * 4, URING.OFF_SQES);
    this.#mapped = [ring, entries];
    this.#words = new Int32Array(ring.buffer);
    this.#entries = new Int32Array(entries.buffer);
    this.#completions = new Int32Array(ring.buffer, completion(5), completions * CQE.words);
    this.#submissionTail = submission(1) / 4;
    this.#completionHead = completion(0) / 4;
    this.#completionTail = completion(1) / 4;
    this.#completionMask = this.#words[completion(2) / 4] ?? 0;
    this.#results = new Int32Array(size);
    // The ring of indices stays as it is: entry i is always at place i.
    for (let index = 0; index < size; index += 1) this.#words[submission(6) / 4 + index] = index;
  }

  read(descriptor: number, address: number, length: number): void {
    this.#prepare(URING.OP_READ, descriptor, address, length);
  }

  writev(descriptor: number, iovecs: number, count: number): void {
    this.#prepare(URING.OP_WRITEV, descriptor, iovecs, count);
  }

  run(): Int32Array {
    this.#words[this.#submissionTail] = this.#tail;
    let left = this.#count;
    let refused = 0;
    for (let unseen = left; unseen > 0; unseen -= this.#reap()) {
      const submitted = this.#calls.enter(this.#descriptor, left, unseen, URING.ENTER_GETEVENTS);
      if (submitted >= 0) left -= submitted;
      // EAGAIN: no memory for it just now.
      else if (submitted === -ERRNO.EAGAIN && refused < REFUSALS_MAX) refused += 1;
      else if (submitted !== -ERRNO.EINTR) throw new Error(`io_uring_enter: error ${-submitted}`);
    }
    this.#count = 0;
    return this.#results;
  }

  close(): void {
    this.#calls.close(this.#descriptor);
    for (const mapped of this.#mapped) this.#calls.unmap(mapped);
  }

  #prepare(opcode: number, descriptor: number, address: number, length: number): void {
    if (this.#count === this.size) throw new RangeError(`a batch takes ${this.size} calls`);
    const at = (this.#tail & (this.size - 1)) * SQE.words;
    const entries = this.#entries;
    entries[at + SQE.opcode] = opcode;
    entries[at + SQE.descriptor] = descriptor;
    // The file's own position, which a TAP has none of.
    entries[at + SQE.offset] = -1;
    entries[at + SQE.offset + 1] = -1;
    entries[at + SQE.address] = (address % 2 ** 32) | 0;
    entries[at + SQE.address + 1] = address / 2 ** 32;
    entries[at + SQE.length] = length;
    entries[at + SQE.flags] = URING.RWF_NOWAIT;
    entries[at + SQE.userData] = this.#count;
    this.#tail = (this.#tail + 1) | 0;
    this.#count += 1;
  }

  /** Takes what has completed; how many. */
  #reap(): number {
    const tail = this.#words[this.#completionTail] ?? 0;
    const count = (tail - this.#head) | 0;
    for (; this.#head !== tail; this.#head = (this.#head + 1) | 0) {
      const at = (this.#head & this.#completionMask) * CQE.words;
      this.#results[this.#completions[at + CQE.userData] ?? 0] = this.#completions[at + CQE.result] ?? 0;
    }
    this.#words[this.#completionHead] = tail;
    return count;
  }
}
