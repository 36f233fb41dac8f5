import { type DhcpLease, FOREVER_S } from '../model/dhcp.ts';
import { formatIpPrefix } from '../model/ip.ts';

/**
 * How an endpoint stands with its DHCP server. `late`: the lease still holds, but should have been renewed long ago.
 * `ended`: it ran out or was taken back, so the address may be somebody else's by now.
 */
export type LeaseState = {
  /** the last one; undefined where there was none yet */
  readonly lease: DhcpLease | undefined;
  readonly phase: 'none' | 'valid' | 'late' | 'ended';
  /** for a person: what is wrong, and what to look at */
  readonly problem: string | undefined;
};

export type LeaseFacts = {
  readonly lease: DhcpLease | undefined;
  /** milliseconds since the server last granted it */
  readonly age: number;
  /** the server took it back (NAK) */
  readonly revoked: boolean;
  /** why no newer one came, in the client's or the server's words */
  readonly trouble: string | undefined;
};

/** A client asks at half of the time (T1), and everyone from seven eighths of it on (T2, RFC 2131 section 4.4.5). */
const LATE = 7 / 8;

export function leaseState({ lease, age, revoked, trouble }: LeaseFacts): LeaseState {
  const phase = lease === undefined ? 'none' : phaseOf(lease, age, revoked);
  const problems = [lease === undefined ? undefined : ofPhase(lease, phase), trouble];
  return { lease, phase, problem: problems.filter((each) => each !== undefined).join('; ') || undefined };
}

function phaseOf(lease: DhcpLease, age: number, revoked: boolean): LeaseState['phase'] {
  if (revoked) return 'ended';
  if (lease.lease_s === FOREVER_S) return 'valid';
  const share = age / (lease.lease_s * 1000);
  if (share >= 1) return 'ended';
  return share >= LATE ? 'late' : 'valid';
}

function ofPhase(lease: DhcpLease, phase: LeaseState['phase']): string | undefined {
  const what = `the lease of ${formatIpPrefix(lease.address)} from DHCP server ${lease.server}`;
  if (phase === 'late') return `${what} runs out soon and was not renewed`;
  return phase === 'ended' ? `${what} has ended` : undefined;
}
