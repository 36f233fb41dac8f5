import { gather, gsoSize, MESSAGE, messagePayload, scatter, setGroSize } from './fake-memory.ts';
import { ERRNO, type Results, type Tap, TAP_BATCH, type Underlay } from './ports.ts';
import { sockaddr } from './sockaddr.ts';

/** A TAP without a kernel, over a memory whose addresses are offsets. */
export class MemoryTap implements Tap {
  /** frames that wait to be read */
  readonly waiting: Uint8Array[] = [];
  readonly written: Uint8Array[] = [];
  /** what the next writes return instead of taking a frame */
  readonly refusals: number[] = [];
  readonly #bytes: Uint8Array;
  readonly #put: Uint8Array[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(at: number, size: number, count: number): Results {
    return Int32Array.from({ length: count }, (_, slot) => this.#read(at + slot * size, size));
  }

  put(iovecs: number, count: number): void {
    if (this.#put.length === TAP_BATCH) throw new RangeError('more frames than a batch takes');
    this.#put.push(gather(this.#bytes, iovecs, count));
  }

  flush(): Results {
    return Int32Array.from(this.#put.splice(0), (frame) => this.refusals.shift() ?? this.#write(frame));
  }

  #read(at: number, room: number): number {
    const frame = this.waiting.shift()?.subarray(0, room);
    if (frame === undefined) return -ERRNO.EAGAIN;
    this.#bytes.set(frame, at);
    return frame.length;
  }

  #write(frame: Uint8Array): number {
    this.written.push(frame);
    return frame.length;
  }
}

export type Datagram = {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly payload: Uint8Array;
};

/** 65535 less the IPv4 and UDP headers */
const PAYLOAD_MAX = 65_507;
/** UDP_MAX_SEGMENTS of Linux before 6.9, and UDP_GRO_CNT_MAX */
const SEGMENTS_MAX = 64;
/** UIO_MAXIOV */
const IOVECS_MAX = 1024;
const FIRST_PORT = 49_152;

/** One gateway's sockets without a kernel: cuts what is sent (UDP_SEGMENT), joins what is received (UDP_GRO). */
export class MemoryUnderlay implements Underlay {
  /** datagrams that wait to be received */
  readonly waiting: Datagram[] = [];
  /** what the next messages to be sent meet instead of the network */
  readonly refusals: number[] = [];
  readonly #bytes: Uint8Array;
  readonly #ip: string;
  readonly #joins: boolean;
  readonly #network: (datagram: Datagram) => void;

  /** @param network takes what is sent, to deliver it to somebody's `waiting` or not */
  constructor(bytes: Uint8Array, ip: string, network: (datagram: Datagram) => void, joins = true) {
    this.#bytes = bytes;
    this.#ip = ip;
    this.#network = network;
    this.#joins = joins;
  }

  send(socket: number, messages: number, count: number): number {
    const from = sockaddr({ ip: this.#ip, port: FIRST_PORT + socket });
    for (let sent = 0; sent < count; sent += 1) {
      const result = this.refusals.shift() ?? this.#sendMessage(messages + sent * MESSAGE.size, from);
      if (result < 0) return sent > 0 ? sent : result;
    }
    return count;
  }

  #sendMessage(message: number, from: Uint8Array): number {
    const view = new DataView(this.#bytes.buffer);
    const name = view.getUint32(message + MESSAGE.name, true);
    const to = this.#bytes.slice(name, name + view.getUint32(message + MESSAGE.nameLength, true));
    if (view.getUint32(message + MESSAGE.iovecCount, true) > IOVECS_MAX) return -ERRNO.EMSGSIZE;
    const payload = messagePayload(this.#bytes, message);
    const size = gsoSize(this.#bytes, message) ?? payload.length;
    if (payload.length > PAYLOAD_MAX) return -ERRNO.EMSGSIZE;
    if (payload.length > size * SEGMENTS_MAX) return -ERRNO.EINVAL;
    for (let at = 0; at < payload.length; at += size) {
      this.#network({ from, to, payload: payload.slice(at, at + size) });
    }
    view.setUint32(message + MESSAGE.length, payload.length, true);
    return payload.length;
  }

  receive(messages: number, count: number): number {
    let filled = 0;
    for (; filled < count && this.waiting.length > 0; filled += 1) this.#fill(messages + filled * MESSAGE.size);
    return filled > 0 ? filled : -ERRNO.EAGAIN;
  }

  #fill(message: number): void {
    const run = this.#takeRun();
    const [first] = run;
    if (first === undefined) return;
    scatter(this.#bytes, message, first.from, Buffer.concat(run.map(({ payload }) => payload)));
    setGroSize(this.#bytes, message, run.length > 1 ? first.payload.length : undefined);
  }

  /** Datagrams of one sender and one size in a row; a shorter one ends them. */
  #takeRun(): Datagram[] {
    const run = this.waiting.splice(0, 1);
    const size = run[0]?.payload.length ?? 0;
    for (let total = size, last = size; this.#joins && last === size && run.length < SEGMENTS_MAX;) {
      const [next] = this.waiting;
      last = next?.payload.length ?? 0;
      total += last;
      if (last === 0 || last > size || total > PAYLOAD_MAX || !sameSender(run[0], next)) break;
      run.push(...this.waiting.splice(0, 1));
    }
    return run;
  }
}

/** A way that delivers to `end` what is sent into it. */
export function wayTo(end: () => MemoryUnderlay): (datagram: Datagram) => void {
  return (datagram) => end().waiting.push(datagram);
}

/** Chances between 0 and 1 that a datagram is lost, comes twice, or passes some that were sent before it. */
export type Trouble = { readonly loss: number; readonly twice: number; readonly reorder: number };

/** A way with trouble, the same for the same seed. */
export function troubledWayTo(end: () => MemoryUnderlay, trouble: Trouble, seed: number): (datagram: Datagram) => void {
  const random = randomOf(seed);
  return (datagram) => {
    if (random() < trouble.loss) return;
    const { waiting } = end();
    const copies = random() < trouble.twice ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      const passed = random() < trouble.reorder ? Math.floor(random() * 8) : 0;
      waiting.splice(Math.max(0, waiting.length - passed), 0, datagram);
    }
  };
}

/** Mulberry32: numbers in [0, 1), enough for tests. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

function sameSender(a: Datagram | undefined, b: Datagram | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a.from, b.from) === 0;
}
