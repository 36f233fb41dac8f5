// The segment size that a TCP SYN promises to take (RFC 9293 section 3.7.1), told down to what the network passes.
import { finish, word } from './checksum.as';
import { be16, etherType, IPV4, put16, tcpLength, transport } from './headers.as';

const TCP_SYN: u32 = 0x02;
const END: u32 = 0;
const NOP: u32 = 1;
const MSS: u32 = 2;

/**
 * Tells the parsed frame's promise down, if it is a SYN with one that is too high (RFC 4459 section 3.2).
 * @param mtu of the network
 * @param unfinished the checksum is worked out later
 */
export function clampMss(mtu: u32, unfinished: bool): void {
  if ((<u32>load<u8>(transport + 13) & TCP_SYN) == 0) return;
  const most = mtu - (etherType == IPV4 ? 40 : 60);
  const end = transport + tcpLength();
  let at = transport + 20;
  while (at + 4 <= end) {
    const kind = <u32>load<u8>(at);
    if (kind == END) return;
    const length = kind == NOP ? 1 : <u32>load<u8>(at + 1);
    if (length == 0) return;
    if (kind == MSS && length == 4) {
      const told = be16(at + 2);
      if (told > most) rewrite(at + 2, told, most, unfinished);
      return;
    }
    at += length;
  }
}

function rewrite(at: u32, told: u32, most: u32, unfinished: bool): void {
  put16(at, most);
  if (unfinished) return;
  // RFC 1624 equation 3; at an odd offset the two bytes lie in two words.
  const odd = ((at - transport) & 1) != 0;
  const before = odd ? <u64>told : word(told);
  const after = odd ? <u64>most : word(most);
  const field = transport + 16;
  const total = <u64>(~load<u16>(field) & 0xffff) + (~before & 0xffff) + after;
  store<u16>(field, <u16>finish(total));
}
