// Which frames may be joined: those that a cut of the super-frame (TSO, USO) gives back as they came.
import {
  be16,
  etherType,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  IPV4,
  network,
  packetEnd,
  TCP_PSH,
  tcpLength,
  transport,
} from './headers.as';
import {
  runCount,
  runEthernet,
  runGso,
  runNetwork,
  runPayload,
  runPeer,
  runSequence,
  runSize,
  runTotal,
  runTransport,
  runVni,
} from './run.as';

const IP_MAX: u32 = 65535;
const UDP_SEGMENTS_MAX: u32 = 64;
/** writev takes 1024 */
const TCP_SEGMENTS_MAX: u32 = 1000;
const DONT_FRAGMENT: u32 = 0x40;
const TCP_ACK: u32 = 0x10;

let udpJoins: bool = false;

/** @param joins whether the TAP takes UDP super-frames (USO) */
export function joinUdp(joins: bool): void {
  udpJoins = joins;
}

/** Which super-frame the parsed frame may be a segment of: plain data of TCP, and whole datagrams of UDP. */
export function gsoType(tcp: bool): u32 {
  if (!tcp) return udpJoins && isWholeDatagram() ? GSO_UDP_L4 : GSO_NONE;
  if (packetEnd <= transport + tcpLength()) return GSO_NONE;
  if ((<u32>load<u8>(transport + 13) & ~TCP_PSH) != TCP_ACK) return GSO_NONE;
  return etherType == IPV4 ? GSO_TCPV4 : GSO_TCPV6;
}

function isWholeDatagram(): bool {
  return be16(transport + 4) == packetEnd - transport && packetEnd > transport + 8;
}

/** Whether the parsed frame is the open run's next segment: all that a cut would copy from the first one is equal. */
export function continuesRun(gso: u32, ethernet: u32, end: u32, vni: u32, peer: i32): bool {
  if (runCount == 0 || gso != runGso || vni != runVni || peer != runPeer) return false;
  if (network - ethernet != runNetwork - runEthernet || transport - network != runTransport - runNetwork) return false;
  return hasRunRoom(end) && equal(ethernet, runEthernet, network - ethernet) && sameNetwork() && sameTransport();
}

function hasRunRoom(end: u32): bool {
  const headerLength = runPayload - runTransport;
  if (runGso != GSO_UDP_L4 && tcpLength() != headerLength) return false;
  if (end - transport - headerLength > runSize) return false;
  if (end - network + runTotal > IP_MAX) return false;
  return runCount < (runGso == GSO_UDP_L4 ? UDP_SEGMENTS_MAX : TCP_SEGMENTS_MAX);
}

/** All of the IP header but lengths, identification and checksum. */
function sameNetwork(): bool {
  if (etherType == IPV4) {
    return (
      load<u16>(network) == load<u16>(runNetwork) &&
      load<u32>(network + 6) == load<u32>(runNetwork + 6) &&
      sameIdentification() &&
      equal(network + 12, runNetwork + 12, transport - network - 12)
    );
  }
  return (
    load<u32>(network) == load<u32>(runNetwork) &&
    load<u16>(network + 6) == load<u16>(runNetwork + 6) &&
    equal(network + 8, runNetwork + 8, 32)
  );
}

/** A cut counts identifications up, which matters only where a router may fragment (RFC 6864 section 4). */
function sameIdentification(): bool {
  if ((<u32>load<u8>(network + 6) & DONT_FRAGMENT) != 0) return true;
  return be16(network + 4) == ((be16(runNetwork + 4) + runCount) & 0xffff);
}

/** Ports, and all of a TCP header but its checksum and a push, which `append` hands on. */
function sameTransport(): bool {
  if (load<u32>(transport) != load<u32>(runTransport)) return false;
  if (runGso == GSO_UDP_L4) return true;
  return (
    bswap<u32>(load<u32>(transport + 4)) == runSequence &&
    load<u32>(transport + 8) == load<u32>(runTransport + 8) &&
    flagWord(transport) == flagWord(runTransport) &&
    equal(transport + 20, runTransport + 20, runPayload - runTransport - 20)
  );
}

/** Header length, reserved bits, flags and window, without a push. */
function flagWord(at: u32): u32 {
  return load<u32>(at + 12) & ~(TCP_PSH << 8);
}

function equal(a: u32, b: u32, length: u32): bool {
  let i: u32 = 0;
  for (; i + 4 <= length; i += 4) if (load<u32>(a + i) != load<u32>(b + i)) return false;
  for (; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}
