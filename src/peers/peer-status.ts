import type { PeerStatus } from '../model/status.ts';
import type { Probed } from './liveness/probed.ts';
import type { PulseState } from './liveness/pulse.ts';
import type { Owner } from './owner.ts';

/** @param now in monotonic milliseconds */
export function peerStatus(owner: Owner, probed: Probed | undefined, isDead: boolean, now: number): PeerStatus {
  const { rtt, pathMtu, answered, tunnel } = probed ?? {};
  const seen = Math.max(owner.lastSeen ?? -Infinity, answered ?? -Infinity);
  return {
    gateway: owner.gw,
    vtep: owner.vtep?.ip ?? '',
    vnis: [...owner.records.keys()].sort((a, b) => a - b),
    state: stateOf(owner, probed, isDead),
    rtt_ms: milliseconds(rtt),
    path_mtu: pathMtu ?? null,
    datapath: datapathOf(owner, tunnel?.state),
    datapath_rtt_ms: milliseconds(tunnel?.rtt),
    last_seen_s: seen === -Infinity ? null : Math.round((now - seen) / 1000),
  };
}

/** Null: nobody answers such probes there, or it is not known yet. */
function datapathOf({ isSilent }: Owner, tunnel: PulseState | undefined): PeerStatus['datapath'] {
  if (isSilent) return 'silent';
  return tunnel === 'up' || tunnel === 'suspect' ? 'ok' : null;
}

function milliseconds(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value * 100) / 100;
}

/** Silence weighs more than the broker's word; of a VTEP that has never answered there is none but that. */
function stateOf({ isAway }: Owner, probed: Probed | undefined, isDead: boolean): PeerStatus['state'] {
  if (isDead) return 'down';
  return isAway || probed?.state === 'suspect' || probed?.state === 'down' ? 'suspect' : 'up';
}
