import type { Alive, PeerRecord } from '../model/peer.ts';

/** How long what a gateway says holds without another word of it: a day, renewed each third of it. */
export const LEASE_S = 24 * 3600;
export const RENEW_AFTER_S = LEASE_S / 3;

/** When the record's lease ends, seconds since 1970: the manifest that lists its VNI renews those of all VNIs at once. */
export function leaseEnd(record: PeerRecord, manifest: Alive | undefined): number {
  const renewed = manifest?.vnis[String(record.vni)] === undefined ? 0 : (manifest.exp ?? 0);
  return Math.max(record.exp, renewed);
}
