import { PEERS_MAX } from './address-book.ts';
import { type Constant, instantiate } from './instance.ts';

/** Typed face of `wasm/coalesce.as.ts`: from received messages to frames for the TAP. Offsets are bytes into `bytes`. */
export class Coalescer {
  readonly bytes: Uint8Array;
  readonly messages: number;
  readonly messagesMax: number;
  readonly #words: Int32Array;
  readonly #paths: Uint16Array;
  readonly #calls: Calls;
  // Read once: an exported global's `value` is a call into the engine.
  readonly #names: number;
  readonly #nameSize: number;
  readonly #jobs: number;
  readonly #jobSize: number;

  /**
   * @param address see `Segmenter`
   * @param port of VXLAN, dropped inside
   * @param joinsUdp whether the TAPs take UDP super-frames
   */
  constructor(module: WebAssembly.Module, address: (bytes: Uint8Array) => bigint, port: number, joinsUdp: boolean) {
    const { bytes, exports } = instantiate(module);
    const calls = exports as Calls;
    this.bytes = bytes;
    this.#words = new Int32Array(bytes.buffer);
    this.#calls = calls;
    this.#paths = new Uint16Array(bytes.buffer, calls.PATHS.value, PEERS_MAX);
    this.messages = calls.MESSAGES.value;
    this.messagesMax = calls.MESSAGES_MAX.value;
    this.#names = calls.NAMES.value;
    this.#nameSize = calls.NAME_SIZE.value;
    this.#jobs = calls.JOBS.value / 4;
    this.#jobSize = calls.JOB_SIZE.value / 4;
    calls.configure(address(bytes), port, joinsUdp ? 1 : 0);
  }

  /** Makes the messages ready to be received into. */
  reset(): void {
    this.#calls.reset();
  }

  /** The longest IP packet inside that the way to a peer passes; 0 where it need not be minded. */
  setPath(source: number, mtu: number): void {
    this.#paths[source] = mtu;
  }

  /** Where the sender's sockaddr of a message is. */
  nameAt(index: number): number {
    return this.#names + index * this.#nameSize;
  }

  datagrams(index: number): number {
    return this.#calls.datagrams(index);
  }

  /** Takes a message apart into jobs; the last run may go on in the next message. */
  receive(index: number, source: number): void {
    this.#calls.receive(index, source);
  }

  flush(): void {
    this.#calls.flush();
  }

  get jobCount(): number {
    return this.#calls.jobCount();
  }

  /** Whether the lists have room for one more message, whatever is in it. */
  get hasRoom(): boolean {
    return this.#calls.hasRoom() !== 0;
  }

  clearJobs(): void {
    this.#calls.clearJobs();
  }

  /** A field of a job. */
  job(index: number, field: JobField): number {
    return this.#words[this.#jobs + index * this.#jobSize + field] ?? 0;
  }

  /** Hands over how many datagrams were no frames, by reason, and begins to count anew. */
  takeCounts(drop: (reason: 'truncated' | 'bad_flags' | 'bad_checksum' | 'nested', frames: number) => void): void {
    if (this.#calls.failures() === 0) return;
    const { truncated, badFlags, badChecksum, nested } = this.#calls;
    drop('truncated', truncated.value);
    drop('bad_flags', badFlags.value);
    drop('bad_checksum', badChecksum.value);
    drop('nested', nested.value);
    this.#calls.clearCounts();
  }
}

/** Fields of a job: what is to be written to one TAP at once. */
export const JOB = { iovecs: 0, iovecCount: 1, frames: 2, vni: 3, ethernet: 4, bytes: 5, source: 6 } as const;
export type JobField = (typeof JOB)[keyof typeof JOB];

type Calls = {
  readonly MESSAGES: Constant;
  readonly MESSAGES_MAX: Constant;
  readonly NAMES: Constant;
  readonly PATHS: Constant;
  readonly NAME_SIZE: Constant;
  readonly JOBS: Constant;
  readonly JOB_SIZE: Constant;
  readonly truncated: Constant;
  readonly badFlags: Constant;
  readonly badChecksum: Constant;
  readonly nested: Constant;
  configure(address: bigint, port: number, joinsUdp: number): void;
  reset(): void;
  clearJobs(): void;
  hasRoom(): number;
  failures(): number;
  clearCounts(): void;
  jobCount(): number;
  datagrams(index: number): number;
  receive(index: number, source: number): void;
  flush(): void;
};
