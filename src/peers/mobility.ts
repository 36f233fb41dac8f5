import type { Mac } from '../model/mac.ts';
import type { MacEntry } from '../model/peer.ts';

/** One gateway's claim to a MAC. */
export type Claim = { readonly gateway: string; readonly alive: boolean; readonly entry: MacEntry };

/**
 * Whether claim `a` wins over `b`: the higher mobility sequence number (RFC 7432 section 7.7), then a gateway that is on
 * the broker over one that is not (a workload moved away from a dead gateway, which nobody can make withdraw its claim),
 * then sticky over non-sticky, then the lower gateway id (EVPN takes the lower VTEP address, which NAT may make equal or
 * unstable).
 */
export function better(a: Claim, b: Claim): boolean {
  if (a.entry.q !== b.entry.q) return a.entry.q > b.entry.q;
  if (a.alive !== b.alive) return a.alive;
  if (a.entry.s !== b.entry.s) return a.entry.s > b.entry.s;
  return a.gateway < b.gateway;
}

/** The claim that wins each MAC. */
export function winners(claims: Iterable<Claim>): ReadonlyMap<Mac, Claim> {
  const best = new Map<Mac, Claim>();
  for (const claim of claims) {
    const other = best.get(claim.entry.m);
    if (!other || better(claim, other)) best.set(claim.entry.m, claim);
  }
  return best;
}
