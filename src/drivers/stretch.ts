import type { ObservedLink } from '../host/links.ts';
import { DEFAULT_GUARDS } from '../model/guards.ts';
import { deriveMac } from '../model/derived-mac.ts';
import type { Mac } from '../model/mac.ts';
import type { OverlayNetwork, Stretch } from '../model/network.ts';
import type { Remote } from '../model/peer.ts';
import type { Problem } from '../model/problem.ts';
import { vlanOf } from '../model/vlan.ts';
import { type HostView, type LinkSpec, type NetworkSpec, type StretchSpec, waitingFor } from './driver.ts';
import type { GuardSpec } from './guards.ts';
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

const ONE_MAC = 'is WiFi, whose access point takes frames from its own MAC only; use a wired interface as the uplink';

export function isStretched(network: OverlayNetwork): network is Stretched {
  return network.stretch !== undefined;
}

/** The object of its way to the plant: what the kernel refuses there must not hold up the network's other steps. */
export function plantObject(network: string): string {
  return `${network}/plant`;
}

/** The plant's side, ready to be a port, or why it cannot be one. */
type Plant = { readonly wire: Wire; readonly problem?: never } | { readonly wire?: never; readonly problem: Problem };

/**
 * Joins an overlay to a VLAN of the plant: both are ports of a bridge, and the workloads hang on that. Its ports take
 * what the VLAN takes, so that a device's packet which is too big for the overlay gets as far as the engine, whose
 * answer (ICMP) tells the device; only the workloads are told the overlay's own MTU. What is wrong with the plant's side
 * is no reason to keep the sites' workloads apart.
 */
export function stretch(
  network: Stretched,
  spec: Standing,
  workloads: readonly Mac[],
  remotes: readonly Remote[],
  host: HostView,
): Standing {
  const bridge = linkName('lsb', network.name);
  const { wire, problem } = plantOf(network, bridge, host);
  const mtu = portMtu(spec, wire);
  const overlay = spec.links[0]?.name ?? '';
  return {
    ...spec,
    links: [...withMtu(spec.links, mtu), ...(wire?.links ?? []), theBridge(network, bridge, mtu, host)],
    mtu: Math.min(spec.mtu, mtu),
    ...(spec.guards && { guards: { ...spec.guards, ...loopOf(network, wire, overlay, host) } }),
    attachment: { ...spec.attachment, type: 'macvlan', mode: 'bridge', parent: bridge },
    stretch: {
      bridge,
      plant: wire?.name,
      problem,
      overlay,
      mtu: spec.mtu,
      workloads,
      remote: remoteMacs(network, remotes, workloads, host),
      claimed: new Set(host.devices?.get(network.vni)),
    },
  };
}

function loopOf(
  { vni, guards = DEFAULT_GUARDS }: Stretched,
  wire: Wire | undefined,
  overlay: string,
  { gateway, probeKeys }: HostView,
): Pick<GuardSpec, 'loop'> {
  if (wire === undefined || guards.loop === 'off' || probeKeys === undefined) return {};
  return { loop: { plant: wire.name, overlay, prober: { vni, gateway, ...probeKeys } } };
}

function plantOf(network: Stretched, bridge: string, host: HostView): Plant {
  const { uplink } = network.stretch;
  const seen = host.links.find((link) => link.name === uplink.interface);
  if (seen === undefined) {
    const message = `network ${network.name}: interface ${uplink.interface} of uplink ${uplink.name} is gone; plug it in again`;
    return { problem: waitingFor(network, message) };
  }
  const wire = wireOf({ name: network.name, ...vlanOf(network.stretch) }, seen, host);
  const why = wire.oneMac ? ONE_MAC : wire.seen && taken(wire.seen, wire.addresses, bridge, host);
  const object = plantObject(`network/${network.name}`);
  if (why === undefined) return { wire: { ...wire, links: wire.links.map((link) => ({ ...link, object })) } };
  return { problem: waitingFor(network, `network ${network.name}: ${wire.name} ${why}`, 'parent_busy') };
}

/** A vxlan device with a group is bound to an interface, and takes no more than that leaves room for. */
function portMtu({ links, mtu }: Standing, wire: Wire | undefined): number {
  const bound = links.some(({ kind }) => kind.type === 'vxlan' && kind.multicast !== undefined);
  if (wire === undefined) return mtu;
  return bound ? Math.min(mtu, wire.mtu) : wire.mtu;
}

function withMtu(links: readonly LinkSpec[], mtu: number): readonly LinkSpec[] {
  return links.map((link) => ({ ...link, mtu }));
}

function theBridge(network: Stretched, name: string, mtu: number, host: HostView): LinkSpec {
  return {
    name,
    alias: networkAlias(host.gateway, network.name, SWITCH),
    object: `network/${network.name}`,
    kind: { type: 'bridge', mac: deriveMac(network.name, `${THE_SWITCH} of ${host.gateway}`), carrier: true },
    mtu,
    addresses: [],
  };
}

function remoteMacs(
  network: Stretched,
  remotes: readonly Remote[],
  workloads: readonly Mac[],
  host: HostView,
): StretchSpec['remote'] {
  const entries = reachablePeers(network, remotes, host).remotes.flatMap(({ macs }) => macs);
  const byMac = new Map(entries.map(({ m: mac, s }) => [mac, { mac, sticky: s === 1 }]));
  for (const mac of workloads) byMac.delete(mac);
  return [...byMac.values()];
}

/** Whatever reaches a bridge's port goes to the bridge: nothing else that stands on it would get a frame any more. */
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
