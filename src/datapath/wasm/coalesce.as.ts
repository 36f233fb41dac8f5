// From the datagrams of one recvmmsg(2), each up to 64 of one size in a row (UDP_GRO), to frames for the TAP: headers
// checked, checksums verified, and what belongs to one flow joined to one super-frame of up to 64 KiB, as iovecs for
// writev(2) with a virtio header first. Payload is never copied.
import { fold, sum, word } from './checksum.as';
import {
  be16,
  DATA_VALID,
  etherType,
  ETHERNET,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  IPV4,
  isTcp,
  isUdp,
  NEEDS_CHECKSUM,
  network,
  packetEnd,
  parse,
  protocol,
  put16,
  tcpLength,
  transport,
  VNET,
  VXLAN,
  VXLAN_I,
} from './headers.as';

// ---- the memory's map; TypeScript reads these as exported globals
export const MESSAGES: u32 = 0x1000;
export const MESSAGES_MAX: u32 = 16;
/** struct mmsghdr */
export const MESSAGE_SIZE: u32 = 64;
/** sockaddr_in or sockaddr_in6 of the sender */
export const NAMES: u32 = MESSAGES + MESSAGES_MAX * MESSAGE_SIZE;
export const NAME_SIZE: u32 = 32;
const CONTROLS: u32 = NAMES + MESSAGES_MAX * NAME_SIZE;
const CONTROL_SIZE: u32 = 64;
const RECEIVE_IOVECS: u32 = CONTROLS + MESSAGES_MAX * CONTROL_SIZE;
/** what is to be written, `JOB_SIZE` bytes each: iovecs, their number, frames, VNI, Ethernet header, bytes of the frames, peer */
export const JOBS: u32 = RECEIVE_IOVECS + MESSAGES_MAX * 16;
export const JOBS_MAX: u32 = 8192;
export const JOB_SIZE: u32 = 32;
const VNETS: u32 = JOBS + JOBS_MAX * JOB_SIZE;
const VNET_SIZE: u32 = 16;
const IOVECS: u32 = VNETS + JOBS_MAX * VNET_SIZE;
const IOVECS_MAX: u32 = 2 * JOBS_MAX;
const BUFFERS: u32 = IOVECS + IOVECS_MAX * 16;
const BUFFER_SIZE: u32 = 65536;
export const MEMORY_PAGES: u32 = (BUFFERS + MESSAGES_MAX * BUFFER_SIZE + 0xffff) >> 16;

/** Datagrams that a message can hold at most, each with a header at least. */
const DATAGRAMS_MAX: u32 = 65536 / 22 + 1;

const SOL_UDP: i32 = 17;
const UDP_GRO: i32 = 104;
const MSG_TRUNC: u32 = 0x20;
const IP_MAX: u32 = 65535;
const UDP_SEGMENTS_MAX: u32 = 64;
/** writev takes 1024 */
const RUN_MAX: u32 = 1000;
const DONT_FRAGMENT: u32 = 0x40;
const TCP_ACK: u32 = 0x10;
const TCP_PSH: u32 = 0x08;

let base: u64 = 0;
let ownPort: u32 = 0;
let udpRuns: bool = false;
let jobs: u32 = 0;
let iovecs: u32 = 0;

// ---- why a datagram is no frame: how many there were since `counted`
export let truncated: u32 = 0;
export let badFlags: u32 = 0;
export let badChecksum: u32 = 0;
export let nested: u32 = 0;

// ---- the run that still takes segments; `runCount` 0 where there is none
let runCount: u32 = 0;
let runPeer: i32 = 0;
let runVni: u32 = 0;
let runKind: u32 = 0;
let runEthernet: u32 = 0;
let runNetwork: u32 = 0;
let runTransport: u32 = 0;
let runPayload: u32 = 0;
let runSize: u32 = 0;
let runTotal: u32 = 0;
let runSequence: u32 = 0;
let runIovec: u32 = 0;

/**
 * @param address of this memory's first byte in the process
 * @param port of VXLAN: what carries it inside is dropped, or an overlay would travel in itself
 * @param joinsUdp whether the TAP takes UDP super-frames (USO)
 */
export function configure(address: u64, port: u32, joinsUdp: bool): void {
  base = address;
  ownPort = port;
  udpRuns = joinsUdp;
  reset();
}

/** Forgets all jobs and makes the messages ready for recvmmsg, which overwrites what was offered. */
export function reset(): void {
  jobs = 0;
  iovecs = 0;
  runCount = 0;
  for (let i: u32 = 0; i < MESSAGES_MAX; i++) {
    const message = MESSAGES + i * MESSAGE_SIZE;
    const iovec = RECEIVE_IOVECS + i * 16;
    store<u64>(iovec, base + BUFFERS + i * BUFFER_SIZE);
    store<u64>(iovec + 8, BUFFER_SIZE);
    store<u64>(message, base + NAMES + i * NAME_SIZE);
    store<u32>(message + 8, NAME_SIZE);
    store<u64>(message + 16, base + iovec);
    store<u64>(message + 24, 1);
    store<u64>(message + 32, base + CONTROLS + i * CONTROL_SIZE);
    store<u64>(message + 40, CONTROL_SIZE);
    store<u32>(message + 48, 0);
  }
}

/** Begins the job list anew, once it has been written; received messages stay. */
export function clearJobs(): void {
  jobs = 0;
  iovecs = 0;
}

export function jobCount(): u32 {
  return jobs;
}

/** Whether the lists have room for one more message, whatever is in it: a job and two iovecs for each datagram. */
export function hasRoom(): bool {
  return jobs + DATAGRAMS_MAX <= JOBS_MAX && iovecs + 2 * DATAGRAMS_MAX <= IOVECS_MAX;
}

/** The sum of the four. */
export function failures(): u32 {
  return truncated + badFlags + badChecksum + nested;
}

export function clearCounts(): void {
  truncated = 0;
  badFlags = 0;
  badChecksum = 0;
  nested = 0;
}

/** The number of datagrams in a received message. */
export function datagrams(index: u32): u32 {
  const length = load<u32>(MESSAGES + index * MESSAGE_SIZE + 56);
  const size = datagramSize(index, length);
  return length == 0 ? 1 : (length + size - 1) / size;
}

/** Takes a received message apart. Its last run stays open: it may go on in the next one, until `flush`. */
export function receive(index: u32, peer: i32): void {
  const message = MESSAGES + index * MESSAGE_SIZE;
  const length = load<u32>(message + 56);
  const size = datagramSize(index, length);
  // Runts are counted as many as they are: in one piece they would look like a frame.
  if (length == 0 || size < VXLAN + ETHERNET || (load<u32>(message + 48) & MSG_TRUNC) != 0) {
    truncated += datagrams(index);
    return;
  }
  const end = BUFFERS + index * BUFFER_SIZE + length;
  for (let at = BUFFERS + index * BUFFER_SIZE; at < end; at += size) {
    const last = end - at < size ? end : at + size;
    datagram(at, last, peer);
  }
}

/** Ends the open run, if any. */
export function flush(): void {
  if (runCount == 0) return;
  if (runCount > 1) finishRun();
  addJob(
    runIovec,
    iovecs - runIovec,
    runCount,
    runVni,
    runEthernet,
    runTotal + (runPayload - runEthernet) * runCount,
    runPeer,
  );
  runCount = 0;
}

/** What UDP_GRO says; where it says nothing, the whole is one datagram. */
function datagramSize(index: u32, length: u32): u32 {
  const message = MESSAGES + index * MESSAGE_SIZE;
  const control = CONTROLS + index * CONTROL_SIZE;
  if (load<u64>(message + 40) < 20) return max<u32>(length, 1);
  if (load<i32>(control + 8) != SOL_UDP || load<i32>(control + 12) != UDP_GRO) return max<u32>(length, 1);
  const size = load<i32>(control + 16);
  return size <= 0 ? max<u32>(length, 1) : <u32>size;
}

/** One datagram of the wire, every byte of it hostile. */
function datagram(at: u32, end: u32, peer: i32): void {
  if (end - at < VXLAN + ETHERNET) {
    truncated++;
    return;
  }
  // Reserved bits are ignored on receipt (RFC 7348 section 5).
  if ((<u32>load<u8>(at) & VXLAN_I) == 0) {
    badFlags++;
    return;
  }
  const vni = bswap<u32>(load<u32>(at + 4)) >> 8;
  const ethernet = at + VXLAN;
  parse(ethernet, end);
  const tcp = isTcp();
  const udp = isUdp();
  if (udp && be16(transport + 2) == ownPort) {
    nested++;
    return;
  }
  if (network != 0 && etherType == IPV4 && fold(sum(network, <u32>(load<u8>(network) & 15) * 4)) != 0xffff) {
    badChecksum++;
    return;
  }
  let verified = false;
  if (tcp || (udp && load<u16>(transport + 6) != 0)) {
    if (!verify(tcp)) {
      badChecksum++;
      return;
    }
    verified = true;
  }
  const kind = verified && packetEnd == end ? joinable(tcp) : 0;
  if (kind != 0 && runCount > 0 && continues(kind, ethernet, end, vni, peer)) {
    append(end);
    return;
  }
  flush();
  begin(kind, ethernet, end, vni, peer, verified);
  if (kind == 0) flush();
}

/** The transport's checksum over the pseudo header (RFC 793, RFC 768, RFC 8200 section 8.1). */
function verify(tcp: bool): bool {
  let length = packetEnd - transport;
  if (!tcp) {
    const told = be16(transport + 4);
    if (told < 8 || told > length) return false;
    length = told;
  }
  const addresses = etherType == IPV4 ? sum(network + 12, 8) : sum(network + 8, 32);
  return fold(addresses + word(protocol) + word(length) + sum(transport, length)) == 0xffff;
}

/** Which kind of super-frame the frame may belong to, or 0: only plain data of TCP, and whole datagrams of UDP. */
function joinable(tcp: bool): u32 {
  if (!tcp)
    return udpRuns && be16(transport + 4) == packetEnd - transport && packetEnd > transport + 8 ? GSO_UDP_L4 : 0;
  if (packetEnd <= transport + tcpLength()) return 0;
  if ((<u32>load<u8>(transport + 13) & ~TCP_PSH) != TCP_ACK) return 0;
  return etherType == IPV4 ? GSO_TCPV4 : GSO_TCPV6;
}

/** Whether the frame is the open run's next segment: all that a cut would copy from the first one is equal. */
function continues(kind: u32, ethernet: u32, end: u32, vni: u32, peer: i32): bool {
  if (kind != runKind || vni != runVni || peer != runPeer) return false;
  if (network - ethernet != runNetwork - runEthernet || transport - network != runTransport - runNetwork) return false;
  const headerLength = runPayload - runTransport;
  const payload = transport + headerLength;
  if (kind != GSO_UDP_L4 && tcpLength() != headerLength) return false;
  if (payload >= end || end - payload > runSize) return false;
  if (payload - network + runTotal + (end - payload) > IP_MAX) return false;
  if (runCount >= (kind == GSO_UDP_L4 ? UDP_SEGMENTS_MAX : RUN_MAX)) return false;
  if (!equal(ethernet, runEthernet, network - ethernet) || !sameNetwork()) return false;
  if (load<u32>(transport) != load<u32>(runTransport)) return false;
  if (kind == GSO_UDP_L4) return true;
  return (
    bswap<u32>(load<u32>(transport + 4)) == runSequence &&
    load<u32>(transport + 8) == load<u32>(runTransport + 8) &&
    flagWord(transport) == flagWord(runTransport) &&
    equal(transport + 20, runTransport + 20, headerLength - 20)
  );
}

/** Header length, reserved bits, flags and window; a push apart, which `append` hands on. */
function flagWord(at: u32): u32 {
  return load<u32>(at + 12) & ~(TCP_PSH << 8);
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

function equal(a: u32, b: u32, length: u32): bool {
  let i: u32 = 0;
  for (; i + 4 <= length; i += 4) if (load<u32>(a + i) != load<u32>(b + i)) return false;
  for (; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}

function begin(kind: u32, ethernet: u32, end: u32, vni: u32, peer: i32, verified: bool): void {
  const vnet = VNETS + jobs * VNET_SIZE;
  store<u64>(vnet, verified ? DATA_VALID : 0);
  store<u16>(vnet + 8, 0);
  runIovec = iovecs;
  addIovec(vnet, VNET);
  addIovec(ethernet, end - ethernet);
  runCount = 1;
  runKind = kind;
  runPeer = peer;
  runVni = vni;
  runEthernet = ethernet;
  runNetwork = network;
  runTransport = transport;
  runPayload = end;
  runTotal = 0;
  if (kind == 0) return;
  runPayload = transport + (kind == GSO_UDP_L4 ? 8 : tcpLength());
  runSize = end - runPayload;
  runTotal = runSize;
  if (kind == GSO_UDP_L4) return;
  runSequence = bswap<u32>(load<u32>(transport + 4)) + runSize;
}

function append(end: u32): void {
  const payload = transport + (runPayload - runTransport);
  const length = end - payload;
  addIovec(payload, length);
  runCount++;
  runTotal += length;
  runSequence += length;
  // A push is handed on, but ends nothing: the batch is delivered at once anyway, and a sender pushes each of its writes.
  if (runKind != GSO_UDP_L4) {
    store<u8>(runTransport + 13, load<u8>(runTransport + 13) | (load<u8>(transport + 13) & <u8>TCP_PSH));
  }
  // All segments but the last are of one size.
  if (length < runSize) flush();
}

/** Headers of the whole: lengths, and a checksum that holds the pseudo header's sum alone (linux/virtio_net.h). */
function finishRun(): void {
  const vnet = load<u64>(IOVECS + runIovec * 16) - base;
  const length = runPayload - runTransport + runTotal;
  const ip = runTransport - runNetwork + length;
  const four = runKind == GSO_TCPV4 || (runKind == GSO_UDP_L4 && load<u8>(runNetwork) >> 4 == 4);
  let pseudo = word(length);
  if (four) {
    put16(runNetwork + 2, ip);
    store<u16>(runNetwork + 10, 0);
    store<u16>(runNetwork + 10, <u16>~fold(sum(runNetwork, runTransport - runNetwork)));
    pseudo += sum(runNetwork + 12, 8) + word(load<u8>(runNetwork + 9));
  } else {
    put16(runNetwork + 4, ip - 40);
    pseudo += sum(runNetwork + 8, 32) + word(load<u8>(runNetwork + 6));
  }
  const offset = runKind == GSO_UDP_L4 ? 6 : 16;
  if (runKind == GSO_UDP_L4) put16(runTransport + 4, length);
  store<u16>(runTransport + offset, <u16>fold(pseudo));
  const at = <u32>vnet;
  store<u8>(at, <u8>NEEDS_CHECKSUM);
  store<u8>(at + 1, <u8>runKind);
  store<u16>(at + 2, <u16>(runPayload - runEthernet));
  store<u16>(at + 4, <u16>runSize);
  store<u16>(at + 6, <u16>(runTransport - runEthernet));
  store<u16>(at + 8, <u16>offset);
}

function addIovec(at: u32, length: u32): void {
  const iovec = IOVECS + iovecs++ * 16;
  store<u64>(iovec, base + at);
  store<u64>(iovec + 8, length);
}

function addJob(iovec: u32, count: u32, packets: u32, vni: u32, ethernet: u32, bytes: u32, peer: i32): void {
  const job = JOBS + jobs++ * JOB_SIZE;
  store<u32>(job, IOVECS + iovec * 16);
  store<u32>(job + 4, count);
  store<u32>(job + 8, packets);
  store<u32>(job + 12, vni);
  store<u32>(job + 16, ethernet);
  store<u32>(job + 20, bytes);
  store<i32>(job + 24, peer);
}
