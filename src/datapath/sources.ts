import { MacTable } from './fdb.ts';
import type { Vtep } from '../model/peer.ts';
import { addressIn, sockaddr } from './sockaddr.ts';

/** Which peer a packet's sender is, by its address alone: the port is another for each flow (RFC 7348 section 5). */
export class Sources {
  readonly #addresses: readonly (Uint8Array | undefined)[];
  readonly #table = new MacTable();
  readonly #standsFor: readonly number[];

  /** @param peers by number, with holes; where two share an address, the first stands for both */
  constructor(peers: readonly (Vtep | undefined)[]) {
    this.#addresses = peers.map((peer) => (peer === undefined ? undefined : addressOf(peer)));
    this.#standsFor = this.#addresses.map((address, index) =>
      address === undefined ? -1 : this.#enter(address, index),
    );
  }

  /** The number that `find` gives for a peer's address: its own, or that of another peer at the same. */
  standsFor(peer: number): number {
    return this.#standsFor[peer] ?? -1;
  }

  /** The peer of the sockaddr at `at`, or -1. */
  find(bytes: Uint8Array, at: number): number {
    const { offset, length } = addressIn(bytes, at);
    return length === 0 ? -1 : this.#lookUp(bytes, at + offset, length);
  }

  #lookUp(bytes: Uint8Array, start: number, length: number): number {
    const high = keyHigh(bytes, start, length);
    // Addresses of one key lie at the next ones.
    for (let low = keyLow(bytes, start, length); ; low = (low + 1) | 0) {
      const index = this.#table.get(high, low);
      if (index < 0 || equals(this.#addresses[index], bytes, start, length)) return index;
    }
  }

  #enter(address: Uint8Array, index: number): number {
    const there = this.#lookUp(address, 0, address.length);
    if (there >= 0) return there;
    const high = keyHigh(address, 0, address.length);
    let low = keyLow(address, 0, address.length);
    while (this.#table.get(high, low) >= 0) low = (low + 1) | 0;
    this.#table.set(high, low, index);
    return index;
  }
}

function addressOf(peer: Vtep): Uint8Array {
  const name = sockaddr(peer);
  const { offset, length } = addressIn(name, 0);
  return name.slice(offset, offset + length);
}

function equals(address: Uint8Array | undefined, bytes: Uint8Array, start: number, length: number): boolean {
  if (address?.length !== length) return false;
  for (let i = 0; i < length; i += 1) if (bytes[start + i] !== address[i]) return false;
  return true;
}

function word(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
}

/** Never negative: the table's mark of an empty place is. */
function keyHigh(bytes: Uint8Array, at: number, length: number): number {
  return length === 4 ? 0 : (word(bytes, at) ^ word(bytes, at + 8)) & 0x7fff_ffff;
}

function keyLow(bytes: Uint8Array, at: number, length: number): number {
  return length === 4 ? word(bytes, at) : Math.imul(word(bytes, at + 4), 0x9e37_79b1) ^ word(bytes, at + 12);
}
