/**
 * The Internet checksum (RFC 1071) of `parts` taken as one string of 16-bit words; every part but the last has an even
 * length. Over data whose checksum field is zero it gives the field's value; over data with a correct field, 0.
 */
export function internetChecksum(...parts: readonly Buffer[]): number {
  let sum = parts.reduce((total, part) => total + sumOfWords(part), 0);
  // Plain arithmetic, not bit operations: a long packet's sum may pass 31 bits.
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

function sumOfWords(bytes: Buffer): number {
  const even = bytes.length & ~1;
  let sum = 0;
  for (let at = 0; at < even; at += 2) sum += bytes.readUInt16BE(at);
  // RFC 1071 section 1: an odd last byte is the high half of a word padded with zero.
  return even === bytes.length ? sum : sum + bytes.readUInt8(even) * 0x100;
}
