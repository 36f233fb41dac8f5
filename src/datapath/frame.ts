import { PROBE_MAGIC } from '../packet/loop-probe.ts';

/** What both directions ask of an Ethernet header, in place. */

export const ETHERNET_HEADER = 14;
/** struct virtio_net_hdr, before each frame of a TAP */
export const VNET_HEADER = 10;

/** Broadcast or multicast (IEEE 802.3 section 3.2.3). */
export function isGroup(bytes: Uint8Array, mac: number): boolean {
  return ((bytes[mac] ?? 0) & 1) !== 0;
}

/** No station's: nothing can be sent to it. */
export function isNobody(bytes: Uint8Array, mac: number): boolean {
  return macHigh(bytes, mac) === 0 && macLow(bytes, mac) === 0;
}

/** 01:80:c2:00:00:00 to :0f, which end at the next bridge: spanning tree, pause, LACP (IEEE 802.1Q table 8-1). */
export function isLinkLocal(bytes: Uint8Array, mac: number): boolean {
  return bytes[mac] === 0x01 && macHigh(bytes, mac) === 0x0180 && macLow(bytes, mac) >>> 4 === 0xc_20_00_00;
}

/** A gateway's loop probe: a group's frame with its EtherType and magic number (`packet/loop-probe.ts`). */
export function isLoopProbe(bytes: Uint8Array, ethernet: number): boolean {
  const isLocal = bytes[ethernet + 12] === 0x88 && bytes[ethernet + 13] === 0xb5;
  return isLocal && isGroup(bytes, ethernet) && macLow(bytes, ethernet + 12) === PROBE_MAGIC;
}

/** Carries an 802.1Q or 802.1ad tag. */
export function isTagged(bytes: Uint8Array, ethernet: number): boolean {
  const type = ((bytes[ethernet + 12] ?? 0) << 8) | (bytes[ethernet + 13] ?? 0);
  return type === 0x8100 || type === 0x88a8;
}

export function macHigh(bytes: Uint8Array, mac: number): number {
  return ((bytes[mac] ?? 0) << 8) | (bytes[mac + 1] ?? 0);
}

export function macLow(bytes: Uint8Array, mac: number): number {
  return (
    ((bytes[mac + 2] ?? 0) << 24) | ((bytes[mac + 3] ?? 0) << 16) | ((bytes[mac + 4] ?? 0) << 8) | (bytes[mac + 5] ?? 0)
  );
}

/**
 * How many frames of the network a TAP's frame stands for, by its struct virtio_net_hdr: type at 1, length of the
 * headers at 2, size of each one's data at 4.
 */
export function framesFor(bytes: Uint8Array, at: number, length: number): number {
  const size = little16(bytes, at + 4);
  if (length < VNET_HEADER || bytes[at + 1] === 0 || size === 0) return 1;
  return Math.max(1, Math.ceil((length - VNET_HEADER - little16(bytes, at + 2)) / size));
}

function little16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}
