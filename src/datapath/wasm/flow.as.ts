import { etherType, IPV4, isTcp, isUdp, network, transport } from './headers.as';

/** One number for all packets of the parsed frame's flow: where they leave from, so that routers can spread flows. */
export function flowHash(ethernet: u32): u32 {
  let hash: u32;
  if (network == 0) {
    hash = load<u32>(ethernet) ^ load<u32>(ethernet + 4) ^ load<u32>(ethernet + 8);
  } else if (etherType == IPV4) {
    hash = load<u32>(network + 12) ^ load<u32>(network + 16);
  } else {
    const low = load<u64>(network + 8) ^ load<u64>(network + 24);
    const high = load<u64>(network + 16) ^ load<u64>(network + 32);
    hash = <u32>(low ^ high) ^ <u32>((low ^ high) >> 32);
  }
  if (isTcp() || isUdp()) hash ^= load<u32>(transport);
  // The finaliser of MurmurHash3: every bit of the input moves every bit of the result.
  hash = (hash ^ (hash >> 16)) * 0x85ebca6b;
  hash = (hash ^ (hash >> 13)) * 0xc2b2ae35;
  return hash ^ (hash >> 16);
}
