import { createHash } from 'node:crypto';
import { type Mac, macFromHash } from './mac.ts';
import type { PeerRecord } from './peer.ts';
import type { Vni } from './vni.ts';

/** The word in a record's `caps` of a gateway whose port of that VNI answers tunnel probes. */
export const TUNNEL_PROBE = 'tunnel-probe';

/** By which MAC a gateway is to be asked in its record's VNI; undefined: it does not answer there. */
export function askedBy({ fleet, vni, gw, caps }: Pick<PeerRecord, 'fleet' | 'vni' | 'gw' | 'caps'>): Mac | undefined {
  return caps.includes(TUNNEL_PROBE) ? tunnelMac(fleet, vni, gw) : undefined;
}

/** The MACs that one network's tunnel probes bear: this gateway's, and those of the peers that it answers. */
export type TunnelMacs = { readonly own: Mac; readonly peers: readonly Mac[] };

/**
 * The MAC by which a gateway is asked, within a VNI, whether VXLAN reaches it. Both ends work it out from what they know
 * anyway, so no record carries it; no interface has it.
 */
export function tunnelMac(fleet: string, vni: Vni, gateway: string): Mac {
  const hash = createHash('sha256').update(`linkspan-tunnel-probe-v1\0${fleet}\0${vni}\0${gateway}`).digest();
  return macFromHash(hash);
}
