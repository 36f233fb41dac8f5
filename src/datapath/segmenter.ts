import { type Constant, instantiate } from './instance.ts';

/** Typed face of `wasm/segment.as.ts`: from a TAP's frames to messages for `sendmmsg`. Offsets are bytes into `bytes`. */
export class Segmenter {
  readonly bytes: Uint8Array;
  /** where its first byte lies in the process */
  readonly address: bigint;
  /** where the TAP's frames are read to: slots in a row, each for one of the longest */
  readonly slots: number;
  readonly slotSize: number;
  readonly slotCount: number;
  readonly #words: Uint32Array;
  readonly #calls: Calls;
  // Read once: an exported global's `value` is a call into the engine.
  readonly #messages: number;
  readonly #messageSize: number;
  readonly #sockets: number;
  readonly #counts: number;

  /**
   * @param address where the memory's first byte lies in the process, which the kernel's structures name; 0 where the
   *   other side reads them by offset (in tests)
   * @param port of VXLAN, dropped inside
   * @param sockets in the underlay's pool, a power of two
   */
  constructor(module: WebAssembly.Module, address: (bytes: Uint8Array) => bigint, port: number, sockets: number) {
    const { bytes, exports } = instantiate(module);
    const calls = exports as Calls;
    this.bytes = bytes;
    this.#words = new Uint32Array(bytes.buffer);
    this.#calls = calls;
    this.slots = calls.SLOTS.value;
    this.slotSize = calls.SLOT_SIZE.value;
    this.slotCount = calls.SLOT_COUNT.value;
    this.#messages = calls.MESSAGES.value;
    this.#messageSize = calls.MESSAGE_SIZE.value;
    this.#sockets = calls.SOCKETS.value / 4;
    this.#counts = calls.COUNTS.value / 4;
    this.address = address(bytes);
    calls.configure(this.address, port, sockets);
  }

  /** Where peer number `index` has its sockaddr, its length behind it as the 29th byte, and as the 31st the MTU of its way. */
  peerAt(index: number): number {
    if (index >= this.#calls.PEERS_MAX.value) throw new RangeError(`more than ${this.#calls.PEERS_MAX.value} peers`);
    return this.#calls.PEERS.value + index * this.#calls.PEER_SIZE.value;
  }

  /** Whether there is room for the packets of some more large frames. */
  get hasRoom(): boolean {
    return this.#calls.isHalfEmpty() !== 0;
  }

  /** Packets made of the frame, or a negative verdict (see `VERDICTS`). */
  encapsulate(at: number, length: number, vni: number, peer: number, mtu: number): number {
    return this.#calls.encapsulate(at, length, vni, peer, mtu);
  }

  /** The last frame's messages to one more peer; false where there is no room. */
  repeat(peer: number): boolean {
    return this.#calls.repeat(peer) !== 0;
  }

  seal(): void {
    this.#calls.seal();
  }

  /** From now on one packet in a message. */
  single(): void {
    this.#calls.single();
  }

  reset(): void {
    this.#calls.reset();
  }

  /** Like `reset`, but the last frame's messages can still be repeated. */
  resetToRepeat(): void {
    this.#calls.resetToRepeat();
  }

  get messageCount(): number {
    return this.#calls.messageCount();
  }

  messageAt(index: number): number {
    return this.#messages + index * this.#messageSize;
  }

  /** Which socket of the pool the message leaves from. */
  socketOf(index: number): number {
    return this.#words[this.#sockets + index] ?? 0;
  }

  /** Bytes of a message's frames, once it has been sent: the kernel wrote its length (struct mmsghdr). */
  bytesOf(index: number): number {
    const length = this.#words[(this.messageAt(index) + MESSAGE_LENGTH) / 4] ?? 0;
    return length - this.packetsOf(index) * VXLAN_HEADER;
  }

  /** How many packets the message is cut into. */
  packetsOf(index: number): number {
    return this.#words[this.#counts + index] ?? 0;
  }
}

const MESSAGE_LENGTH = 56;
const VXLAN_HEADER = 8;

/** What `encapsulate` says where it makes no packet; `full`: send, reset, and try again. */
export const VERDICTS = ['', 'truncated', 'malformed', 'too_big', 'nested', 'full'] as const;

type Calls = {
  readonly PEERS: Constant;
  readonly PEERS_MAX: Constant;
  readonly PEER_SIZE: Constant;
  readonly MESSAGES: Constant;
  readonly MESSAGE_SIZE: Constant;
  readonly SOCKETS: Constant;
  readonly COUNTS: Constant;
  readonly SLOTS: Constant;
  readonly SLOT_SIZE: Constant;
  readonly SLOT_COUNT: Constant;
  configure(address: bigint, port: number, sockets: number): void;
  reset(): void;
  single(): void;
  resetToRepeat(): void;
  isHalfEmpty(): number;
  messageCount(): number;
  seal(): void;
  encapsulate(at: number, length: number, vni: number, peer: number, mtu: number): number;
  repeat(peer: number): number;
};
