// The kernel's structures name bytes by address: where they lie in the process, not in this memory.

/** struct iovec */
export const IOVEC_SIZE: u32 = 16;

let base: u64 = 0;

/** @param address of this memory's first byte in the process */
export function locate(address: u64): void {
  base = address;
}

export function addressOf(at: u32): u64 {
  return base + at;
}

export function writeIovec(iovec: u32, at: u32, length: u32): void {
  store<u64>(iovec, addressOf(at));
  store<u64>(iovec + 8, length);
}
