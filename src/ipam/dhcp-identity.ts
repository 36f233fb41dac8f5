import { createHash } from 'node:crypto';
import { dnsLabel } from '../model/text.ts';

/** What a workload on a network is for a DHCP server; the MAC is the endpoint's own. */
export type DhcpIdentity = {
  /** option 61 as hex digits, type byte first */
  readonly clientId: string;
  /** option 12: one DNS label */
  readonly hostname: string;
};

/** Type 255: a client identifier made of an IAID and a DUID (RFC 4361 section 6.1). */
const TYPE = 'ff';
/** A DUID made of a UUID, which needs no vendor's number (RFC 6355). */
const DUID_UUID = '0004';

/**
 * The workload is the client, its network is the interface: the same three names give the same identity after any
 * restart or reinstall, and a server that keeps leases by client gives the same address.
 */
export function dhcpIdentity(names: { gateway: string; workload: string; network: string }): DhcpIdentity {
  const iaid = digest(names.network).slice(0, 8);
  const uuid = digest(`${names.gateway}\0${names.workload}`).slice(0, 32);
  return { clientId: `${TYPE}${iaid}${DUID_UUID}${uuid}`, hostname: dnsLabel(names.workload) || 'workload' };
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
