import type { ObservedLink } from '../host/links.ts';
import { hasOwnMacs, type SiteNetwork } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import { type HostView, type LinkSpec, waitingFor } from './driver.ts';
import { isLayer, type Layer, layersOf } from './vlan-layers.ts';

/** Bytes of one VLAN tag. */
const TAG_SIZE = 4;

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

type Place = Pick<SiteNetwork, 'name' | 'vlan' | 'outerVlan'>;

/** The network's wire, or what it waits for. */
export function findWire(network: SiteNetwork, host: HostView): Wire | Problem {
  const uplink = host.links.find((link) => link.name === network.uplink.interface);
  if (uplink === undefined) return missing(network);
  const wire = wireOf(network, uplink, host);
  const driver = wire.oneMac && hasOwnMacs(network) ? 'ipvlan' : network.driver;
  return (wire.seen && refuse(network, driver, wire.seen, host)) ?? wire;
}

/**
 * The uplink, or the link of its VLAN, which behind a service provider's tag stands on the link of that one. A link that
 * the host has already is used as it is, by whatever name, and left alone: the kernel has room for one of each VLAN. Else
 * one is made, for all networks on that VLAN, and goes with the last.
 */
export function wireOf(network: Place, uplink: ObservedLink, host: HostView): Wire {
  const ground: Wire = { ...standing(uplink), oneMac: uplink.wireless?.oneMac === true, links: [] };
  // All else takes a tag on top of its MTU (`netif_reduces_vlan_mtu` of linux/netdevice.h).
  const room = uplink.kind === 'macsec' ? TAG_SIZE : 0;
  const object = `network/${network.name}`;
  return layersOf(network, uplink.name, host.gateway).reduce((below, layer) => {
    const seen = host.links.find((link) => isLayer(link, below.seen, layer));
    if (seen?.ours === false) return onTop(below, standing(seen));
    return onTop(below, toMake(below, layer, { object, mtu: below.mtu - room, seen }));
  }, ground);
}

type Standing = Pick<Wire, 'name' | 'mtu' | 'addresses' | 'seen'>;

function onTop(below: Wire, { links = [], ...own }: Standing & Partial<Pick<Wire, 'links'>>): Wire {
  return { ...below, ...own, links: [...below.links, ...links] };
}

function toMake(
  { name: parent }: Wire,
  { tag, name, alias }: Layer,
  { object, mtu, seen }: Pick<LinkSpec, 'object' | 'mtu'> & Pick<Wire, 'seen'>,
): Standing & Pick<Wire, 'links'> {
  const link: LinkSpec = { name, alias, object, kind: { type: 'vlan', parent, ...tag }, mtu, addresses: [] };
  return { name, mtu, addresses: [], seen, links: [link] };
}

function standing(seen: ObservedLink): Standing {
  return { name: seen.name, mtu: seen.mtu, addresses: seen.addresses, seen };
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
