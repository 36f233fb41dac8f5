import type { ObservedLink } from '../host/links.ts';
import type { MacvlanNetwork } from '../model/network.ts';
import type { HostView, LinkSpec } from './driver.ts';
import { linkName, networkAlias } from './naming.ts';

/** EtherType of a VLAN's tag (IEEE 802.1Q); a service provider's outer tag has another. */
const TAG = 0x8100;

/** What the children of a network on an uplink hang on: the uplink itself, or the link of one of its VLANs. */
export type Wire = {
  readonly name: string;
  readonly mtu: number;
  /** the host's own on it */
  readonly addresses: readonly string[];
  /** as it stands; undefined while it is still to be made */
  readonly seen: ObservedLink | undefined;
  /** what is to be made of it */
  readonly links: readonly LinkSpec[];
};

/**
 * A VLAN link that the host has already is used as it is, by whatever name, and left alone: the kernel has room for one
 * of each VLAN. Else one is made, for all networks on that VLAN, and goes with the last.
 */
export function wireOf(network: Pick<MacvlanNetwork, 'name' | 'vlan'>, uplink: ObservedLink, host: HostView): Wire {
  if (network.vlan === undefined) return standing(uplink);
  const tagged = host.links.find((link) => isVlan(link, uplink, network.vlan));
  if (tagged !== undefined && !tagged.ours) return standing(tagged);
  const name = linkName('lsv', `${uplink.name}.${network.vlan}`);
  const link: LinkSpec = {
    name,
    alias: networkAlias(host.gateway, network.name, 'vlan'),
    object: `network/${network.name}`,
    kind: { type: 'vlan', parent: uplink.name, id: network.vlan },
    mtu: uplink.mtu,
    addresses: [],
  };
  return { name, mtu: uplink.mtu, addresses: [], seen: tagged, links: [link] };
}

function standing(seen: ObservedLink): Wire {
  return { name: seen.name, mtu: seen.mtu, addresses: seen.addresses, seen, links: [] };
}

function isVlan({ kind, parent, data }: ObservedLink, uplink: ObservedLink, id: number | undefined): boolean {
  return kind === 'vlan' && parent === uplink.index && data.id === id && data.protocol === TAG;
}
