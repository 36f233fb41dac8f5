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

const settingsOf = (carrier: boolean): readonly Setting[] => (carrier ? CARRIER : ROUTER);

/**
 * Keeps what comes in by an interface of ours in the host's namespace from the host itself.
 * @param carrier whether the host has no business there at all
 */
export function shield(name: string, carrier: boolean): void {
  for (const [family, setting, value] of settingsOf(carrier)) writeSetting(family, setting, name, value);
}

/** What is not there (a kernel without IPv6, an interface that is gone) needs no shield. */
export function isShielded(name: string, carrier: boolean): boolean {
  return settingsOf(carrier).every(
    ([family, setting, value]) => (readSetting(family, setting, name) ?? value) === value,
  );
}
