import { type Coalescer, JOB } from './coalescer.ts';
import { COUNTER, type Counters, type DropReason } from './counters.ts';
import { ERRNO, type Tap, TAP_BATCH } from './ports.ts';

/** The end of the way in: jobs for one TAP in a row are written together, and each is counted by what came of it. */
export class Delivery {
  readonly #coalescer: Coalescer;
  readonly #counters: Counters;
  readonly #jobs = new Int32Array(TAP_BATCH);
  #count = 0;
  #tap: Tap | undefined;

  constructor(coalescer: Coalescer, counters: Counters) {
    this.#coalescer = coalescer;
    this.#counters = counters;
  }

  put(tap: Tap, job: number): void {
    if (tap !== this.#tap || this.#count === TAP_BATCH) this.flush();
    this.#tap = tap;
    this.#jobs[this.#count] = job;
    this.#count += 1;
    tap.put(this.#coalescer.job(job, JOB.iovecs), this.#coalescer.job(job, JOB.iovecCount));
  }

  flush(): void {
    if (this.#tap === undefined || this.#count === 0) return;
    const written = this.#tap.flush();
    for (let index = 0; index < this.#count; index += 1) this.#written(this.#jobs[index] ?? 0, written[index] ?? 0);
    this.#count = 0;
  }

  #written(job: number, result: number): void {
    const frames = this.#coalescer.job(job, JOB.frames);
    if (result < 0) return this.#counters.add(COUNTER[writeError(-result)], frames);
    this.#counters.add(COUNTER.tap_writes, 1);
    this.#counters.add(COUNTER.received_frames, frames);
    this.#counters.add(COUNTER.received_bytes, this.#coalescer.job(job, JOB.bytes));
  }
}

function writeError(errno: number): DropReason {
  if (errno === ERRNO.EAGAIN || errno === ERRNO.ENOBUFS) return 'queue_full';
  if (errno === ERRNO.EIO || errno === ERRNO.EBADFD) return 'tap_down';
  return errno === ERRNO.EINVAL ? 'malformed' : 'host_error';
}
