import type { PeerStatus } from '../model/status.ts';
import type { Probed } from './liveness/probed.ts';
import type { Owner } from './owner.ts';

/** @param now in monotonic milliseconds */
export function peerStatus(owner: Owner, probed: Probed | undefined, now: number): PeerStatus {
  const { rtt, pathMtu, answered } = probed ?? {};
  const seen = Math.max(owner.lastSeen ?? -Infinity, answered ?? -Infinity);
  return {
    gateway: owner.gw,
    vtep: owner.vtep?.ip ?? '',
    vnis: [...owner.records.keys()].sort((a, b) => a - b),
    state: stateOf(owner, probed),
    rtt_ms: rtt === undefined ? null : Math.round(rtt * 100) / 100,
    path_mtu: pathMtu ?? null,
    last_seen_s: seen === -Infinity ? null : Math.round((now - seen) / 1000),
  };
}

/** A VTEP that has answered before and does not now is down, whatever the broker says; else the broker has its say. */
function stateOf({ isAway }: Owner, probed: Probed | undefined): PeerStatus['state'] {
  if (probed?.state === 'down') return 'down';
  return isAway || probed?.state === 'suspect' ? 'suspect' : 'up';
}
