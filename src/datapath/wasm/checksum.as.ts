// The Internet checksum (RFC 1071). Sums are taken over words as they lie in memory: the one's complement sum is the
// same in either byte order as long as the result is stored the way the words were read (section 2 B).

/** The sum of `length` bytes at `at`, not folded; an odd last byte counts as padded with zero. */
export function sum(at: u32, length: u32): u64 {
  return pass<void>(0, at, length);
}

/** The same, of bytes that are copied to `to` at once. Both may overlap, if `to` is the lower. */
export function copyAndSum(to: u32, at: u32, length: u32): u64 {
  return pass<u8>(to, at, length);
}

/** Compiled twice: `Copied` is what is stored, or void where nothing is. */
function pass<Copied>(to: u32, at: u32, length: u32): u64 {
  let total: u64 = 0;
  const end = at + length;
  if (length >= 32) {
    // 2 x 65535 into each lane and step: no lane overflows below 512 KiB.
    let lanes = i32x4.splat(0);
    const last = end - 32;
    while (at <= last) {
      const first = v128.load(at);
      const second = v128.load(at, 16);
      if (!isVoid<Copied>()) {
        v128.store(to, first);
        v128.store(to, second, 16);
        to += 32;
      }
      lanes = i32x4.add(lanes, i32x4.extadd_pairwise_i16x8_u(first));
      lanes = i32x4.add(lanes, i32x4.extadd_pairwise_i16x8_u(second));
      at += 32;
    }
    total =
      <u64>(<u32>i32x4.extract_lane(lanes, 0)) +
      <u64>(<u32>i32x4.extract_lane(lanes, 1)) +
      <u64>(<u32>i32x4.extract_lane(lanes, 2)) +
      <u64>(<u32>i32x4.extract_lane(lanes, 3));
  }
  while (at + 4 <= end) {
    const four = load<u32>(at);
    if (!isVoid<Copied>()) {
      store<u32>(to, four);
      to += 4;
    }
    total += four;
    at += 4;
  }
  if (at + 2 <= end) {
    const two = load<u16>(at);
    if (!isVoid<Copied>()) {
      store<u16>(to, two);
      to += 2;
    }
    total += two;
    at += 2;
  }
  if (at < end) {
    const one = load<u8>(at);
    if (!isVoid<Copied>()) store<u8>(to, one);
    total += one;
  }
  return total;
}

/** The sum in 16 bits, not inverted. */
export function fold(total: u64): u32 {
  total = (total & 0xffffffff) + (total >> 32);
  total = (total & 0xffff) + ((total >> 16) & 0xffff) + (total >> 32);
  total = (total & 0xffff) + (total >> 16);
  total = (total & 0xffff) + (total >> 16);
  return <u32>total;
}

/** The checksum as it stands in a TCP or UDP header, where 0 would mean "none" (RFC 768) and is sent as its twin. */
export function finish(total: u64): u32 {
  const inverted = ~fold(total) & 0xffff;
  return inverted == 0 ? 0xffff : inverted;
}

/** A 16-bit number as a word of the sum. */
export function word(value: u32): u64 {
  return <u64>bswap<u16>(<u16>value);
}

/** The part of the pseudo header's sum that an IP header's addresses make (RFC 793, RFC 768, RFC 8200 section 8.1). */
export function addressSum(network: u32, four: bool): u64 {
  return sum(network + (four ? 12 : 8), four ? 8 : 32);
}
