// The run that still takes segments: frames of one flow, each the continuation of the one before, which the TAP gets as
// one super-frame.
import { checksumOffset, completeHeaders } from './complete.as';
import { DATA_VALID, GSO_UDP_L4, NEEDS_CHECKSUM, network, TCP_PSH, tcpLength, transport } from './headers.as';
import { addIovec, beginJob, begunVnet, endJob } from './jobs.as';

/** segments in it; 0 where there is no run */
export let runCount: u32 = 0;
export let runPeer: i32 = 0;
export let runVni: u32 = 0;
/** what the virtio header calls it */
export let runGso: u32 = 0;

// ---- where the first segment's headers lie, which become the whole's
export let runEthernet: u32 = 0;
export let runNetwork: u32 = 0;
export let runTransport: u32 = 0;
export let runPayload: u32 = 0;

/** payload of a segment; only the last one may have less */
export let runSize: u32 = 0;
/** payload of the whole */
export let runTotal: u32 = 0;
/** the next segment's sequence number */
export let runSequence: u32 = 0;

export function forgetRun(): void {
  runCount = 0;
}

/** Begins a run with the parsed segment, its checksum verified; one that was open ends. */
export function begin(gso: u32, ethernet: u32, end: u32, vni: u32, peer: i32): void {
  flush();
  beginJob(vni, ethernet, peer, DATA_VALID);
  addIovec(ethernet, end - ethernet);
  runCount = 1;
  runPeer = peer;
  runVni = vni;
  runGso = gso;
  runEthernet = ethernet;
  runNetwork = network;
  runTransport = transport;
  runPayload = transport + (gso == GSO_UDP_L4 ? 8 : tcpLength());
  runSize = end - runPayload;
  runTotal = runSize;
  runSequence = bswap<u32>(load<u32>(transport + 4)) + runSize;
}

/** Adds the parsed segment, which continues the run. */
export function append(end: u32): void {
  const payload = transport + (runPayload - runTransport);
  const length = end - payload;
  addIovec(payload, length);
  runCount++;
  runTotal += length;
  runSequence += length;
  if (runGso != GSO_UDP_L4) handOnPush();
  // All segments but the last are of one size.
  if (length < runSize) flush();
}

/** A push ends nothing: the batch is delivered at once anyway, and a sender pushes each of its writes. */
function handOnPush(): void {
  store<u8>(runTransport + 13, load<u8>(runTransport + 13) | (load<u8>(transport + 13) & <u8>TCP_PSH));
}

/** Ends the open run, if any. */
export function flush(): void {
  if (runCount == 0) return;
  if (runCount > 1) complete();
  endJob(runCount, runTotal + (runPayload - runEthernet) * runCount);
  runCount = 0;
}

function complete(): void {
  completeHeaders(runNetwork, runTransport, runGso, runPayload - runTransport + runTotal);
  const vnet = begunVnet();
  store<u8>(vnet, <u8>NEEDS_CHECKSUM);
  store<u8>(vnet + 1, <u8>runGso);
  store<u16>(vnet + 2, <u16>(runPayload - runEthernet));
  store<u16>(vnet + 4, <u16>runSize);
  store<u16>(vnet + 6, <u16>(runTransport - runEthernet));
  store<u16>(vnet + 8, <u16>checksumOffset(runGso));
}
