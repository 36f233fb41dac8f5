// The first segment's headers made the whole's: lengths, and a checksum that holds the pseudo header's sum alone
// (linux/virtio_net.h).
import { addressSum, fold, sum, word } from './checksum.as';
import { GSO_UDP_L4, put16, TCP, UDP } from './headers.as';

/** @param length of the transport's header and all payload */
export function completeHeaders(network: u32, transport: u32, gso: u32, length: u32): void {
  const four = load<u8>(network) >> 4 == 4;
  if (four) completeIpv4(network, transport - network, length);
  else put16(network + 4, transport - network - 40 + length);
  if (gso == GSO_UDP_L4) put16(transport + 4, length);
  const protocol = gso == GSO_UDP_L4 ? UDP : TCP;
  const pseudo = addressSum(network, four) + word(protocol) + word(length);
  store<u16>(transport + checksumOffset(gso), <u16>fold(pseudo));
}

function completeIpv4(network: u32, headerLength: u32, length: u32): void {
  put16(network + 2, headerLength + length);
  store<u16>(network + 10, 0);
  store<u16>(network + 10, <u16>~fold(sum(network, headerLength)));
}

/** From the transport header's start. */
export function checksumOffset(gso: u32): u32 {
  return gso == GSO_UDP_L4 ? 6 : 16;
}
