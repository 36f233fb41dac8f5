// The checksums of the parsed frame, each verified here: the TAP is told that they hold (DATA_VALID).
import { addressSum, fold, sum, word } from './checksum.as';
import { be16, etherType, IPV4, network, packetEnd, protocol, transport } from './headers.as';

/** IPv4 alone has a checksum of its own header. */
export function isIpIntact(): bool {
  if (network == 0 || etherType != IPV4) return true;
  return fold(sum(network, <u32>(load<u8>(network) & 15) * 4)) == 0xffff;
}

/** Of a frame whose transport has a checksum: TCP, or UDP with one. */
export function isTransportIntact(tcp: bool): bool {
  let length = packetEnd - transport;
  if (!tcp) {
    const told = be16(transport + 4);
    if (told < 8 || told > length) return false;
    length = told;
  }
  const pseudo = addressSum(network, etherType == IPV4) + word(protocol) + word(length);
  return fold(pseudo + sum(transport, length)) == 0xffff;
}
