/** A MAC in two numbers that need no allocation: its first two bytes and its last four. */
export type MacKey = { readonly high: number; readonly low: number };

const EMPTY = -1;
const TOMBSTONE = -2;
const SLOT = 4;
const SMALLEST = 64;

/**
 * A network's forwarding table: MAC to a number, by open addressing in one typed array, so that a lookup allocates
 * nothing. At most half full.
 */
export class MacTable {
  #slots = new Int32Array(SMALLEST * SLOT);
  #mask = SMALLEST - 1;
  #used = 0;
  #size = 0;

  constructor() {
    this.clear();
  }

  get size(): number {
    return this.#size;
  }

  /** The value, or -1 where there is none. */
  get(high: number, low: number): number {
    const slot = this.#find(high, low);
    return slot < 0 ? EMPTY : (this.#slots[slot + 2] ?? EMPTY);
  }

  /** `stamp` is the caller's own, e.g. a time in seconds. */
  set(high: number, low: number, value: number, stamp = 0): void {
    let slot = this.#find(high, low);
    if (slot < 0) {
      if ((this.#used + 1) * 2 > this.#mask + 1) this.#grow();
      slot = this.#insert(high, low);
    }
    this.#slots[slot + 2] = value;
    this.#slots[slot + 3] = stamp;
  }

  /** Renews the stamp of an entry that is there. */
  touch(high: number, low: number, stamp: number): void {
    const slot = this.#find(high, low);
    if (slot >= 0) this.#slots[slot + 3] = stamp;
  }

  delete(high: number, low: number): void {
    const slot = this.#find(high, low);
    if (slot < 0) return;
    this.#slots[slot + 2] = TOMBSTONE;
    this.#slots[slot] = EMPTY;
    this.#size -= 1;
  }

  /** Forgets all; the memory stays, for what comes next. */
  clear(): void {
    this.#slots.fill(EMPTY);
    this.#used = 0;
    this.#size = 0;
  }

  /** All entries, for whoever has time. */
  *entries(): Generator<MacKey & { readonly value: number; readonly stamp: number }> {
    for (let slot = 0; slot < this.#slots.length; slot += SLOT) {
      const [high = EMPTY, low = 0, value = EMPTY, stamp = 0] = this.#slots.subarray(slot, slot + SLOT);
      if (high !== EMPTY) yield { high, low, value, stamp };
    }
  }

  #find(high: number, low: number): number {
    const slots = this.#slots;
    for (let index = hash(high, low); ; index += 1) {
      const slot = (index & this.#mask) * SLOT;
      if (slots[slot] === high && slots[slot + 1] === low) return slot;
      if (slots[slot] === EMPTY && slots[slot + 2] !== TOMBSTONE) return -1;
    }
  }

  #insert(high: number, low: number): number {
    for (let index = hash(high, low); ; index += 1) {
      const slot = (index & this.#mask) * SLOT;
      if (this.#slots[slot] !== EMPTY) continue;
      if (this.#slots[slot + 2] !== TOMBSTONE) this.#used += 1;
      this.#slots[slot] = high;
      this.#slots[slot + 1] = low;
      this.#size += 1;
      return slot;
    }
  }

  #grow(): void {
    const kept = [...this.entries()];
    const capacity = kept.length * 4 > this.#mask ? (this.#mask + 1) * 2 : this.#mask + 1;
    this.#slots = new Int32Array(capacity * SLOT);
    this.#mask = capacity - 1;
    this.clear();
    for (const { high, low, value, stamp } of kept) {
      const slot = this.#insert(high, low);
      this.#slots[slot + 2] = value;
      this.#slots[slot + 3] = stamp;
    }
  }
}

/** The finaliser of MurmurHash3 over both parts. */
function hash(high: number, low: number): number {
  let value = Math.imul(low ^ Math.imul(high, 0x9e37_79b1), 0x85eb_ca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2_ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
