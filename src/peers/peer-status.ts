import type { PeerStatus } from '../model/status.ts';
import type { Probed } from './liveness/probed.ts';
import type { Owner } from './owner.ts';

/** @param now in monotonic milliseconds */
export function peerStatus(owner: Owner, probed: Probed | undefined, isDead: boolean, now: number): PeerStatus {
  const { rtt, pathMtu, answered } = probed ?? {};
  const seen = Math.max(owner.lastSeen ?? -Infinity, answered ?? -Infinity);
  return {
    gateway: owner.gw,
    vtep: owner.vtep?.ip ?? '',
    vnis: [...owner.records.keys()].sort((a, b) => a - b),
    state: stateOf(owner, probed, isDead),
    rtt_ms: rtt === undefined ? null : Math.round(rtt * 100) / 100,
    path_mtu: pathMtu ?? null,
    last_seen_s: seen === -Infinity ? null : Math.round((now - seen) / 1000),
  };
}

/** Silence weighs more than the broker's word; of a VTEP that has never answered there is none but that. */
function stateOf({ isAway }: Owner, probed: Probed | undefined, isDead: boolean): PeerStatus['state'] {
  if (isDead) return 'down';
  return isAway || probed?.state === 'suspect' || probed?.state === 'down' ? 'suspect' : 'up';
}
