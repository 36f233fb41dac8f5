import { type DeviceSetting, readSetting, writeSetting } from './sysctl.ts';

type Setting = readonly [family: 4 | 6, setting: DeviceSetting, value: number];

/**
 * For an interface that only carries workloads' frames. The kernel would take packets for the host there from whoever
 * is on that network at any site: it makes itself an IPv6 link-local address, follows router advertisements, and answers
 * ARP for all its addresses. Now it has no IPv6 there; and with a reverse path filter no IPv4 packet passes on an
 * interface without addresses, whatever its source. `arp_ignore` is for the probes that bear none.
 */
const CARRIER: readonly Setting[] = [
  [6, 'disable_ipv6', 1],
  [4, 'rp_filter', 1],
  [4, 'arp_ignore', 1],
];

/** Where the host has addresses it is the router: a workload that advertises itself as one is not followed (CVE-2020-13401). */
const ROUTER: readonly Setting[] = [[6, 'accept_ra', 0]];

/**
 * A router that also answers its neighbours for an address which stands on another interface; the kernel does so only
 * where it forwards. Nothing is forwarded: ipvlan hands what is for others to the parent, never to its own child.
 */
const PROXY: readonly Setting[] = [...ROUTER, [6, 'forwarding', 1], [6, 'proxy_ndp', 1]];

/** What an interface of ours in the host's namespace is to the host. */
export type Role = 'carrier' | 'router' | 'proxy';

const SETTINGS: Readonly<Record<Role, readonly Setting[]>> = { carrier: CARRIER, router: ROUTER, proxy: PROXY };

/** Keeps what comes in by an interface of ours in the host's namespace from the host itself. */
export function shield(name: string, role: Role): void {
  for (const [family, setting, value] of SETTINGS[role]) writeSetting(family, setting, name, value);
}

/** What is not there (a kernel without IPv6, an interface that is gone) needs no shield. */
export function isShielded(name: string, role: Role): boolean {
  return SETTINGS[role].every(([family, setting, value]) => (readSetting(family, setting, name) ?? value) === value);
}
