import type { ObservedLink } from '../host/links.ts';
import { deriveMac, type Mac } from '../model/mac.ts';
import type { OverlayNetwork, Stretch } from '../model/network.ts';
import type { Remote } from '../model/peer.ts';
import type { Problem } from '../model/problem.ts';
import { type HostView, type LinkSpec, type NetworkSpec, type StretchSpec, waitingFor } from './driver.ts';
import { linkName, networkAlias, SWITCH } from './naming.ts';
import type { EngineSpec } from './overlay-kernel.ts';
import { reachablePeers } from './overlay-peers.ts';
import { type Wire, wireOf } from './wire.ts';

type Stretched = OverlayNetwork & { readonly stretch: Stretch };
type Standing = EngineSpec & Pick<NetworkSpec, 'mtu' | 'stretch'>;

/** A bridge without a MAC of its own takes the lowest of its ports'. No workload has this name. */
const THE_SWITCH = 'the switch';
/** Links of which one port can have no other master. */
const CHILDREN = new Set(['macvlan', 'macvtap', 'ipvlan', 'ipvtap']);

export function isStretched(network: OverlayNetwork): network is Stretched {
  return network.stretch !== undefined;
}

/**
 * Joins an overlay to a VLAN of the plant: both are ports of a bridge, and the workloads hang on that. Its ports take
 * what the VLAN takes, so that a device's packet which is too big for the overlay gets as far as the engine, whose
 * answer (ICMP) tells the device; only the workloads are told the overlay's own MTU.
 */
export function stretch(
  network: Stretched,
  spec: Standing,
  workloads: readonly Mac[],
  remotes: readonly Remote[],
  host: HostView,
): Standing | Problem {
  const { interface: device, name: uplinkName } = network.stretch.uplink;
  const uplink = host.links.find((link) => link.name === device);
  if (uplink === undefined) {
    const message = `network ${network.name}: interface ${device} of uplink ${uplinkName} is gone; plug it in again`;
    return waitingFor(network, message);
  }
  const { vlan } = network.stretch;
  const wire = wireOf({ name: network.name, ...(vlan !== undefined && { vlan }) }, uplink, host);
  const bridge = linkName('lsb', network.name);
  const refusal = refuse(network, wire, bridge, host);
  if (refusal !== undefined) return refusal;
  const links = [
    ...withMtu(spec.links, portMtu(spec, wire)),
    ...wire.links,
    theBridge(network, bridge, spec, wire, host),
  ];
  return {
    ...spec,
    links,
    mtu: Math.min(spec.mtu, wire.mtu),
    attachment: { ...spec.attachment, type: 'macvlan', mode: 'bridge', parent: bridge },
    stretch: {
      bridge,
      plant: wire.name,
      overlay: spec.links[0]?.name ?? '',
      mtu: spec.mtu,
      workloads,
      remote: remoteMacs(network, remotes, workloads, host),
      claimed: new Set(host.devices?.get(network.vni)),
    },
  };
}

/** A vxlan device with a group is bound to an interface, and takes no more than that leaves room for. */
function portMtu({ links, mtu }: Standing, wire: Wire): number {
  const bound = links.some(({ kind }) => kind.type === 'vxlan' && kind.multicast !== undefined);
  return bound ? Math.min(mtu, wire.mtu) : wire.mtu;
}

function withMtu(links: readonly LinkSpec[], mtu: number): readonly LinkSpec[] {
  return links.map((link) => ({ ...link, mtu }));
}

function theBridge(network: Stretched, name: string, spec: Standing, wire: Wire, host: HostView): LinkSpec {
  return {
    name,
    alias: networkAlias(host.gateway, network.name, SWITCH),
    object: `network/${network.name}`,
    kind: { type: 'bridge', mac: deriveMac(network.name, `${THE_SWITCH} of ${host.gateway}`), carrier: true },
    mtu: portMtu(spec, wire),
    addresses: [],
  };
}

function remoteMacs(
  network: Stretched,
  remotes: readonly Remote[],
  workloads: readonly Mac[],
  host: HostView,
): StretchSpec['remote'] {
  const own = new Set(workloads);
  const all = reachablePeers(network, remotes, host).remotes.flatMap(({ macs }) => macs.map(({ m }) => m));
  return [...new Set(all)].filter((mac) => !own.has(mac));
}

/** Whatever reaches a bridge's port goes to the bridge: nothing else that stands on it would get a frame any more. */
function refuse(network: Stretched, { seen, addresses }: Wire, bridge: string, host: HostView): Problem | undefined {
  if (seen === undefined) return undefined;
  const { name } = seen;
  const why = taken(seen, addresses, bridge, host);
  if (why === undefined) return undefined;
  return waitingFor(network, `network ${network.name}: ${name} ${why}`, 'parent_busy');
}

function taken(
  { index, name, master }: ObservedLink,
  [address]: readonly string[],
  bridge: string,
  { links }: HostView,
): string | undefined {
  if (master !== undefined && master !== bridge) return `is a port of ${master}; take it out of that`;
  if (address !== undefined) {
    return `has this gateway's address ${address}, which would be cut off; give "vlan", use another interface as the uplink, or take the address away`;
  }
  const child = links.find((link) => CHILDREN.has(link.kind) && link.parent === index && !link.ours);
  return (
    child &&
    `has ${child.name} on it and can be no port of a bridge; delete ${child.name}, or stretch another VLAN than ${name}'s`
  );
}
