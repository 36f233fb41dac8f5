// Engines whose memory holds one value wherever no frame is: a byte read from there shows in what two of them make of
// the same frames with different values, a byte written there shows in itself.
import { COUNTER, Counters, DROP_REASONS } from '../../src/datapath/counters.ts';
import { Egress, type EgressNetwork } from '../../src/datapath/egress.ts';
import { setGroSize, MESSAGE } from '../../src/datapath/fake-memory.ts';
import { MacTable } from '../../src/datapath/fdb.ts';
import { NeighbourTable } from '../../src/datapath/neighbours.ts';
import { Ingress } from '../../src/datapath/ingress.ts';
import { Learning } from '../../src/datapath/learning.ts';
import { ERRNO, type Tap, type Underlay } from '../../src/datapath/ports.ts';
import { sockaddr } from '../../src/datapath/sockaddr.ts';
import { Sources } from '../../src/datapath/sources.ts';
import { StormLimit } from '../../src/datapath/storm.ts';
import { newCoalescer, newSegmenter, VNI } from '../unit/support/datapath.ts';

const PEER = { ip: '192.0.2.2', port: 4789 };
const NEAR = 256;

/** What an engine wrote, one after the other, in a buffer that is used again. */
class Output {
  readonly #bytes = Buffer.alloc(8 << 20);
  #length = 0;

  clear(): void {
    this.#length = 0;
  }

  take(memory: Uint8Array, view: DataView, iovecs: number, count: number): number {
    let taken = 0;
    for (let iovec = iovecs; iovec < iovecs + count * 16; iovec += 16) {
      const at = view.getUint32(iovec, true);
      const length = view.getUint32(iovec + 8, true);
      this.#bytes.set(memory.subarray(at, at + length), this.#length + taken);
      taken += length;
    }
    this.#length += taken;
    return taken;
  }

  takeNumber(value: number): void {
    this.#length = this.#bytes.writeUInt8(value, this.#length);
  }

  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}

const CANARIES = new Map<number, Buffer>();

/** Compared at once: this is asked twice for each frame. */
function holdsOnly(canary: number, bytes: Uint8Array, from: number, to: number): boolean {
  const expected = CANARIES.get(canary) ?? Buffer.alloc(4 << 20, canary);
  CANARIES.set(canary, expected);
  return expected.compare(bytes, from, to, 0, to - from) === 0;
}

/** Frames counted as carried and as dropped. */
function countsOf(counters: Counters, carried: number): readonly [number, number] {
  let drops = 0;
  for (const reason of DROP_REASONS) drops += counters.get(COUNTER[reason]);
  return [counters.get(carried), drops];
}

export class CanaryEgress {
  readonly output = new Output();
  readonly #segmenter = newSegmenter();
  readonly #counters = new Counters();
  readonly #egress: Egress;
  readonly #network: EgressNetwork;
  readonly #canary: number;
  readonly #start: number;
  #frame: Uint8Array | undefined;

  constructor(canary: number, mtu = 1450) {
    this.#canary = canary;
    const { bytes } = this.#segmenter;
    this.#start = this.#segmenter.slots;
    bytes.fill(canary, this.#start);
    bytes.set(sockaddr(PEER), this.#segmenter.peerAt(0));
    this.#egress = new Egress(this.#segmenter, this.#underlay(), this.#counters, () => undefined);
    this.#network = {
      vni: VNI,
      tap: this.#tap(),
      mtu,
      tagged: true,
      known: new MacTable(),
      learned: new MacTable(),
      neighbours: new NeighbourTable(Buffer.alloc(0)),
      flood: [0],
      storm: new StormLimit(null),
    };
  }

  /** Carries one frame; frames carried and dropped. */
  carry(frame: Uint8Array): readonly [number, number] {
    const [carried, dropped] = this.counts();
    this.output.clear();
    this.#frame = frame;
    this.#egress.carry(this.#network);
    const end = this.#start + frame.length;
    if (!this.#isClean(end, end + NEAR)) throw new Error('wrote past the frame');
    this.#segmenter.bytes.fill(this.#canary, this.#start, end);
    const after = this.counts();
    return [after[0] - carried, after[1] - dropped];
  }

  counts(): readonly [number, number] {
    return countsOf(this.#counters, COUNTER.sent_frames);
  }

  get isClean(): boolean {
    return this.#isClean(this.#start, this.#segmenter.bytes.length);
  }

  #isClean(from: number, to: number): boolean {
    return holdsOnly(this.#canary, this.#segmenter.bytes, from, to);
  }

  #tap(): Tap {
    return {
      read: (at, _size, count) => {
        const lengths = new Int32Array(count).fill(-ERRNO.EAGAIN);
        if (this.#frame === undefined) return lengths;
        this.#segmenter.bytes.set(this.#frame, at);
        lengths[0] = this.#frame.length;
        this.#frame = undefined;
        return lengths;
      },
      put: () => undefined,
      flush: () => new Int32Array(0),
    };
  }

  #underlay(): Underlay {
    const view = new DataView(this.#segmenter.bytes.buffer);
    return {
      send: (socket, messages, count) => {
        this.output.takeNumber(socket);
        for (let at = messages; at < messages + count * MESSAGE.size; at += MESSAGE.size) {
          const iovecs = view.getUint32(at + MESSAGE.iovecs, true);
          const taken = this.output.take(
            this.#segmenter.bytes,
            view,
            iovecs,
            view.getUint32(at + MESSAGE.iovecCount, true),
          );
          view.setUint32(at + MESSAGE.length, taken, true);
        }
        return count;
      },
      receive: () => 0,
    };
  }
}

/** What one recvmmsg gives: payloads, and the size that UDP_GRO tells where there are several in one. */
export type Message = { readonly payload: Uint8Array; readonly size: number | undefined };

export class CanaryIngress {
  readonly output = new Output();
  readonly #coalescer = newCoalescer();
  readonly #counters = new Counters();
  readonly #ingress: Ingress;
  readonly #canary: number;
  readonly #start: number;
  #waiting: readonly Message[] = [];

  constructor(canary: number) {
    this.#canary = canary;
    const view = new DataView(this.#coalescer.bytes.buffer);
    this.#start = view.getUint32(view.getUint32(this.#coalescer.messages + MESSAGE.iovecs, true), true);
    this.#coalescer.bytes.fill(canary, this.#start);
    const learning = new Learning(() => undefined);
    const network = {
      tap: this.#tap(view),
      tagged: true,
      members: new Int16Array(1),
      learns: Uint8Array.of(1),
      known: new MacTable(),
      learning,
    };
    const parts = { coalescer: this.#coalescer, underlay: this.#underlay(view), counters: this.#counters };
    this.#ingress = new Ingress(parts, new Map([[VNI, network]]), new Sources([PEER]));
  }

  /** Carries what comes at once; frames delivered and dropped. */
  carry(messages: readonly Message[]): readonly [number, number] {
    const [carried, dropped] = this.counts();
    this.output.clear();
    this.#waiting = messages;
    this.#ingress.carry();
    for (const [index, { payload }] of messages.entries()) {
      const start = this.#start + index * 65_536;
      const end = start + payload.length;
      if (!this.#isClean(end, Math.min(end + NEAR, start + 65_536))) throw new Error('wrote past the frame');
      this.#coalescer.bytes.fill(this.#canary, start, end);
    }
    const after = this.counts();
    return [after[0] - carried, after[1] - dropped];
  }

  counts(): readonly [number, number] {
    return countsOf(this.#counters, COUNTER.received_frames);
  }

  get isClean(): boolean {
    return this.#isClean(this.#start, this.#coalescer.bytes.length);
  }

  #isClean(from: number, to: number): boolean {
    return holdsOnly(this.#canary, this.#coalescer.bytes, from, to);
  }

  #tap(view: DataView): Tap {
    const taken: number[] = [];
    return {
      read: (_at, _size, count) => new Int32Array(count),
      put: (iovecs, count) => taken.push(this.output.take(this.#coalescer.bytes, view, iovecs, count)),
      flush: () => Int32Array.from(taken.splice(0)),
    };
  }

  #underlay(view: DataView): Underlay {
    const name = sockaddr(PEER);
    return {
      send: () => 0,
      receive: (messages) => {
        for (const [index, { payload, size }] of this.#waiting.entries()) {
          const message = messages + index * MESSAGE.size;
          this.#coalescer.bytes.set(name, view.getUint32(message, true));
          this.#coalescer.bytes.set(payload, this.#start + index * 65_536);
          view.setUint32(message + MESSAGE.length, payload.length, true);
          setGroSize(this.#coalescer.bytes, message, size);
        }
        return this.#waiting.length;
      },
    };
  }
}
