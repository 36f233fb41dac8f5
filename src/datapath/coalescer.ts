/** Typed face of `wasm/coalesce.as.ts`: from received messages to frames for the TAP. Offsets are bytes into `bytes`. */
export class Coalescer {
  readonly bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #calls: Calls;

  /**
   * @param address see `Segmenter`
   * @param port of VXLAN, dropped inside
   * @param joinsUdp whether the TAPs take UDP super-frames
   */
  constructor(module: WebAssembly.Module, address: (bytes: Uint8Array) => bigint, port: number, joinsUdp: boolean) {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    this.bytes = new Uint8Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#calls = new WebAssembly.Instance(module, { env: { memory } }).exports as Calls;
    if (this.#calls.MEMORY_PAGES.value > PAGES)
      throw new RangeError('coalesce.wasm needs more memory than it is given');
    this.#calls.configure(address(this.bytes), port, joinsUdp ? 1 : 0);
  }

  /** Room for this direction's counters. */
  get counters(): number {
    return this.#calls.COUNTERS.value;
  }

  /** Makes the messages ready to be received into. */
  reset(): void {
    this.#calls.reset();
  }

  get messages(): number {
    return this.#calls.MESSAGES.value;
  }

  get messagesMax(): number {
    return this.#calls.MESSAGES_MAX.value;
  }

  /** Where the sender's sockaddr of a message is. */
  nameAt(index: number): number {
    return this.#calls.NAMES.value + index * this.#calls.NAME_SIZE.value;
  }

  datagrams(index: number): number {
    return this.#calls.datagrams(index);
  }

  /** Takes a message apart into jobs; the last run may go on in the next message. */
  receive(index: number, peer: number): void {
    this.#calls.receive(index, peer);
  }

  flush(): void {
    this.#calls.flush();
  }

  get jobCount(): number {
    return this.#calls.jobCount();
  }

  /** Whether the job list has room for one more message, whatever is in it. */
  get hasRoom(): boolean {
    return this.#calls.jobCount() + this.#calls.DATAGRAMS_MAX.value <= this.#calls.JOBS_MAX.value;
  }

  clearJobs(): void {
    this.#calls.clearJobs();
  }

  /** A field of a job. */
  job(index: number, field: JobField): number {
    return this.#words[(this.#calls.JOBS.value + index * this.#calls.JOB_SIZE.value) / 4 + field] ?? 0;
  }

  /** Hands over how many datagrams were no frames, by reason, and begins to count anew. */
  takeCounts(drop: (reason: 'truncated' | 'bad_flags' | 'bad_checksum' | 'nested', frames: number) => void): void {
    const { truncated, badFlags, badChecksum, nested } = this.#calls;
    if (truncated.value + badFlags.value + badChecksum.value + nested.value === 0) return;
    drop('truncated', truncated.value);
    drop('bad_flags', badFlags.value);
    drop('bad_checksum', badChecksum.value);
    drop('nested', nested.value);
    this.#calls.clearCounts();
  }
}

const PAGES = 64;

/** Fields of a job: what is to be written to one TAP at once. */
export const JOB = { iovecs: 0, iovecCount: 1, frames: 2, vni: 3, ethernet: 4, bytes: 5, peer: 6 } as const;
export type JobField = (typeof JOB)[keyof typeof JOB];

type Constant = { readonly value: number };

type Calls = {
  readonly COUNTERS: Constant;
  readonly MESSAGES: Constant;
  readonly MESSAGES_MAX: Constant;
  readonly NAMES: Constant;
  readonly NAME_SIZE: Constant;
  readonly JOBS: Constant;
  readonly JOBS_MAX: Constant;
  readonly JOB_SIZE: Constant;
  readonly DATAGRAMS_MAX: Constant;
  readonly MEMORY_PAGES: Constant;
  readonly truncated: Constant;
  readonly badFlags: Constant;
  readonly badChecksum: Constant;
  readonly nested: Constant;
  configure(address: bigint, port: number, joinsUdp: number): void;
  reset(): void;
  clearJobs(): void;
  clearCounts(): void;
  jobCount(): number;
  datagrams(index: number): number;
  receive(index: number, peer: number): void;
  flush(): void;
};
