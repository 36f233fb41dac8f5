// From the datagrams of one recvmmsg(2), each up to 64 of one size in a row (UDP_GRO), to frames for the TAP: headers
// checked, checksums verified, and what belongs to one flow joined to one super-frame of up to 64 KiB, as iovecs for
// writev(2) with a virtio header first. Payload is never copied.
import { continuesRun, gsoType, joinUdp } from './continuation.as';
import { dropBadChecksum, dropBadFlags, dropNested, dropTruncated } from './drops.as';
import {
  be16,
  DATA_VALID,
  ETHERNET,
  GSO_NONE,
  isTcp,
  isUdp,
  packetEnd,
  parse,
  transport,
  VXLAN,
  VXLAN_I,
} from './headers.as';
import { locate } from './iovec.as';
import { addIovec, beginJob, clearJobs, endJob, hasRoomFor } from './jobs.as';
import { clampMss } from './mss.as';
import { bufferAt, datagrams, DATAGRAMS_MAX, datagramSize, isCut, messageLength, offer, PATHS } from './received.as';
import { append, begin, flush, forgetRun } from './run.as';
import { isIpIntact, isTransportIntact } from './verify.as';

export { badChecksum, badFlags, clearCounts, failures, nested, truncated } from './drops.as';
export { clearJobs, JOB_SIZE, jobCount, JOBS } from './jobs.as';
export { datagrams, MEMORY_PAGES, MESSAGES, MESSAGES_MAX, NAME_SIZE, NAMES, PATHS } from './received.as';
export { flush } from './run.as';

let ownPort: u32 = 0;

/**
 * @param address of this memory's first byte in the process
 * @param port of VXLAN: what carries it inside is dropped, or an overlay would travel in itself
 * @param joinsUdp whether the TAP takes UDP super-frames (USO)
 */
export function configure(address: u64, port: u32, joinsUdp: bool): void {
  ownPort = port;
  locate(address);
  joinUdp(joinsUdp);
  reset();
}

/** Forgets all jobs and makes the messages ready to be received into. */
export function reset(): void {
  forgetRun();
  clearJobs();
  offer();
}

/** Whether the job list has room for one more message, whatever is in it. */
export function hasRoom(): bool {
  return hasRoomFor(DATAGRAMS_MAX);
}

/** Takes a received message apart. Its last run stays open: it may go on in the next one, until `flush`. */
export function receive(index: u32, peer: i32): void {
  const length = messageLength(index);
  const size = datagramSize(index);
  // Runts are counted as many as they are: in one piece they would look like a frame.
  if (length == 0 || size < VXLAN + ETHERNET || isCut(index)) return dropTruncated(datagrams(index));
  const end = bufferAt(index) + length;
  for (let at = bufferAt(index); at < end; at += size) datagram(at, min(at + size, end), peer);
}

/** One datagram of the wire, every byte of it hostile. */
function datagram(at: u32, end: u32, peer: i32): void {
  if (end - at < VXLAN + ETHERNET) return dropTruncated(1);
  // Reserved bits are ignored on receipt (RFC 7348 section 5).
  if ((<u32>load<u8>(at) & VXLAN_I) == 0) return dropBadFlags();
  const vni = bswap<u32>(load<u32>(at + 4)) >> 8;
  parse(at + VXLAN, end);
  const tcp = isTcp();
  const udp = isUdp();
  if (udp && be16(transport + 2) == ownPort) return dropNested();
  // A sender of UDP may leave its checksum out (RFC 768).
  const checked = tcp || (udp && load<u16>(transport + 6) != 0);
  if (!isIpIntact() || (checked && !isTransportIntact(tcp))) return dropBadChecksum();
  // Whoever is answered sends back what the way passes.
  const path = <u32>load<u16>(PATHS + peer * 2);
  if (tcp && path != 0) clampMss(path, false);
  const gso = checked && packetEnd == end ? gsoType(tcp) : GSO_NONE;
  if (gso == GSO_NONE) addFrame(at + VXLAN, end, vni, peer, checked ? DATA_VALID : 0);
  else if (continuesRun(gso, at + VXLAN, end, vni, peer)) append(end);
  else begin(gso, at + VXLAN, end, vni, peer);
}

/** A frame that nothing is joined to; what comes before it is written before it. */
function addFrame(ethernet: u32, end: u32, vni: u32, peer: i32, flags: u32): void {
  flush();
  beginJob(vni, ethernet, peer, flags);
  addIovec(ethernet, end - ethernet);
  endJob(1, end - ethernet);
}
