import type { ObservedLink } from '../host/links.ts';
import { hasOwnMacs, type SiteNetwork } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import { type HostView, type LinkSpec, waitingFor } from './driver.ts';
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
  /** the uplink is WiFi, and its access point takes frames from the uplink's own MAC only */
  readonly oneMac: boolean;
  /** what is to be made of it */
  readonly links: readonly LinkSpec[];
};

/** The network's wire, or what it waits for. */
export function findWire(network: SiteNetwork, host: HostView): Wire | Problem {
  const uplink = host.links.find((link) => link.name === network.uplink.interface);
  if (uplink === undefined) return missing(network);
  const wire = wireOf(network, uplink, host);
  const driver = wire.oneMac && hasOwnMacs(network) ? 'ipvlan' : network.driver;
  return (wire.seen && refuse(network, driver, wire.seen, host)) ?? wire;
}

/**
 * A VLAN link that the host has already is used as it is, by whatever name, and left alone: the kernel has room for one
 * of each VLAN. Else one is made, for all networks on that VLAN, and goes with the last.
 */
export function wireOf(network: Pick<SiteNetwork, 'name' | 'vlan'>, uplink: ObservedLink, host: HostView): Wire {
  const oneMac = uplink.wireless?.oneMac === true;
  if (network.vlan === undefined) return standing(uplink, oneMac);
  const tagged = host.links.find((link) => isVlan(link, uplink, network.vlan));
  if (tagged !== undefined && !tagged.ours) return standing(tagged, oneMac);
  const name = linkName('lsv', `${uplink.name}.${network.vlan}`);
  const link: LinkSpec = {
    name,
    alias: networkAlias(host.gateway, network.name, 'vlan'),
    object: `network/${network.name}`,
    kind: { type: 'vlan', parent: uplink.name, id: network.vlan },
    mtu: uplink.mtu,
    addresses: [],
  };
  return { name, mtu: uplink.mtu, addresses: [], seen: tagged, oneMac, links: [link] };
}

function standing(seen: ObservedLink, oneMac: boolean): Wire {
  return { name: seen.name, mtu: seen.mtu, addresses: seen.addresses, seen, oneMac, links: [] };
}

function isVlan({ kind, parent, data }: ObservedLink, uplink: ObservedLink, id: number | undefined): boolean {
  return kind === 'vlan' && parent === uplink.index && data.id === id && data.protocol === TAG;
}

function missing(network: SiteNetwork): Problem {
  const { name, interface: device } = network.uplink;
  return waitingFor(
    network,
    `network ${network.name}: interface ${device} of uplink ${name} is gone; plug it in again`,
  );
}

/**
 * A parent has one receive handler, so what another holds the kernel refuses with a bare "busy".
 * @param driver of the children that are to be made there
 */
function refuse(
  network: SiteNetwork,
  driver: SiteNetwork['driver'],
  parent: ObservedLink,
  host: HostView,
): Problem | undefined {
  const busy = (why: string): Problem =>
    waitingFor(network, `network ${network.name}: ${parent.name} ${why}`, 'parent_busy');
  if (parent.master !== undefined) {
    const [port, bridge] = [parent.name, parent.master];
    return busy(
      `is a port of ${bridge} and can have no ${driver}; use ${bridge} as the uplink, or take ${port} out of it`,
    );
  }
  const foreign = host.links.filter((link) => !link.ours && link.parent === parent.index);
  const whole = foreign.find(({ kind, data }) => kind === 'macvlan' && data.mode === 'passthru');
  if (whole !== undefined) return busy(`is taken whole by ${whole.name} (passthru); remove that interface`);
  const other = foreign.find(({ kind }) => kind === (driver === 'macvlan' ? 'ipvlan' : 'macvlan'));
  if (other === undefined) return undefined;
  return busy(
    `carries ${other.name}, which is ${other.kind}, and can have no ${driver} beside it; remove that interface`,
  );
}
