import { type DesiredState, isSite, type Network, type Uplink } from '../model/network.ts';

/**
 * Whether going from one to the other may cut this gateway off: uplinks, what stands on them, what carries the overlays,
 * and the subnets that the host gets routes into. Workloads, and overlays that stand alone, do not.
 */
export function touchesTheWay(before: DesiredState, after: DesiredState): boolean {
  const uplinks = differs(byName(before.uplinks), byName(after.uplinks), wayOfUplink);
  return uplinks || differs(byName(before.networks), byName(after.networks), wayOf);
}

function differs<T>(
  before: ReadonlyMap<string, T>,
  after: ReadonlyMap<string, T>,
  way: (one: T | undefined, other: T | undefined) => unknown,
): boolean {
  const said = (one: T | undefined, other: T | undefined): string => JSON.stringify(way(one, other) ?? null);
  return [...new Set([...before.keys(), ...after.keys()])].some(
    (name) => said(before.get(name), after.get(name)) !== said(after.get(name), before.get(name)),
  );
}

function byName<T extends { readonly name: string }>(all: readonly T[]): ReadonlyMap<string, T> {
  return new Map(all.map((one) => [one.name, one]));
}

/** How many MACs the switch port allows changes nothing on it. */
function wayOfUplink(uplink: Uplink | undefined): unknown {
  return uplink && [uplink.interface, uplink.wifi?.ssid, uplink.wifi?.pskFile];
}

/** What of the network other traffic of this host can feel; undefined: nothing. */
function wayOf(network: Network | undefined, other: Network | undefined): unknown {
  if (network === undefined) return undefined;
  const { driver, subnets } = network;
  if (isSite(network)) {
    const { uplink, vlan, outerVlan, mode, shim } = network;
    return { driver, subnets, interface: uplink.interface, vlan, outerVlan, mode, shim };
  }
  if (network.driver === 'bridge') return { driver, subnets };
  // A new overlay disturbs nobody; one that changes its engine or VNI takes the way to its peers with it.
  const { stretch, engine, vni } = network;
  const place = stretch && { ...stretch, uplink: stretch.uplink.interface };
  if (other?.driver === 'overlay') return { place, engine, vni };
  return place;
}
