import type { ObservedLink } from '../host/links.ts';
import { isSite, type Uplink } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import type { UplinkStatus, WifiStatus } from '../model/status.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import type { Observation } from '../reconcile/observe.ts';

/** Each interface that a network of the site stands on, and each uplink of the document; `wifi` by interface. */
export function uplinkStatuses(
  view: CycleView,
  wifi: ReadonlyMap<string, WifiStatus> = new Map(),
): readonly UplinkStatus[] {
  return uplinksOf(view).map((uplink) => ({
    name: uplink.name,
    interface: uplink.interface,
    macs: macsBehind(uplink.interface, view.seen).size,
    mac_limit: uplink.macLimit ?? null,
    promiscuous: portBehind(uplink.interface, view.seen)?.promiscuous ?? false,
    wifi: wifi.get(uplink.interface) ?? null,
    problem: view.problems.get(objectOf(uplink))?.message ?? null,
  }));
}

/**
 * By object: uplinks whose switch port sees more MACs than it allows. Port security then drops the frames of the last
 * comers or shuts the port down, and nothing on the gateway shows why.
 */
export function uplinkProblems(view: Pick<CycleView, 'desired' | 'seen'>): ReadonlyMap<string, Problem> {
  return new Map(
    uplinksOf(view).flatMap((uplink): (readonly [string, Problem])[] => {
      const macs = macsBehind(uplink.interface, view.seen).size;
      const { macLimit } = uplink;
      return macLimit === undefined || macs <= macLimit ? [] : [[objectOf(uplink), above(uplink, macs, macLimit)]];
    }),
  );
}

function above({ name, interface: device }: Uplink, macs: number, limit: number): Problem {
  const what = `uplink ${name}: the switch port behind ${device} sees ${macs} MACs and allows ${limit}`;
  const remedy = `raise the port's limit and then "macLimit", or move workloads to a bridge or overlay network`;
  return { path: `/spec/uplinks/${name}/macLimit`, code: 'mac_limit', message: `${what}; ${remedy}` };
}

/** By its interface, since Docker's networks name no uplink: theirs goes by the name of the interface. */
function objectOf(uplink: Uplink): string {
  return `uplink/${uplink.interface}`;
}

/** One for each interface; the document's own comes first, since only that has a limit. */
function uplinksOf({ desired }: Pick<CycleView, 'desired'>): readonly Uplink[] {
  const used = desired.networks.flatMap((network) => (isSite(network) ? [network.uplink] : []));
  const byInterface = new Map<string, Uplink>();
  for (const uplink of [...desired.uplinks, ...used]) {
    if (!byInterface.has(uplink.interface)) byInterface.set(uplink.interface, uplink);
  }
  return [...byInterface.values()];
}

/** Links that put their own MAC, or their parent's, on their parent's wire. */
const ON_A_PARENT = new Set(['vlan', 'macvlan', 'macvtap', 'ipvlan', 'ipvtap']);

/** The MACs of all that stands on one port: the host's links (foreign ones too), and our children in the sandboxes. */
function macsBehind(device: string, seen: Pick<Observation, 'links' | 'sandboxes' | 'bridges'>): ReadonlySet<string> {
  const byIndex = indexed(seen);
  const port = portBehind(device, seen);
  if (port === undefined) return new Set();
  const here = seen.links.filter((link) => bottom(link, byIndex) === port);
  const children = [...seen.sandboxes.values()]
    .flatMap((sandbox) => sandbox?.links ?? [])
    .filter((link) => link.ours && link.kind === 'macvlan' && bottom(byIndex.get(link.parent ?? 0), byIndex) === port);
  return new Set([...[...here, ...children].map((link) => link.mac), ...bridgedOnto(here, seen.bridges)]);
}

/** The interface at which the switch's cable ends; undefined while it is gone. */
function portBehind(device: string, seen: Pick<Observation, 'links'>): ObservedLink | undefined {
  const link = seen.links.find(({ name }) => name === device);
  return bottom(link, indexed(seen));
}

function indexed({ links }: Pick<Observation, 'links'>): ReadonlyMap<number, ObservedLink> {
  return new Map(links.map((link) => [link.index, link]));
}

function bottom<T extends ObservedLink | undefined>(
  link: T,
  byIndex: ReadonlyMap<number, ObservedLink>,
): ObservedLink | T {
  const parent = link && parentOf(link, byIndex);
  return parent === undefined ? link : bottom(parent, byIndex);
}

/** What a stretched network's bridge sends to the plant: frames of the workloads on it, and of all the other sites. */
function bridgedOnto(ports: readonly ObservedLink[], bridges: Observation['bridges']): readonly string[] {
  const names = new Set(ports.map(({ name }) => name));
  const joined = [...new Set(ports.flatMap(({ master }) => master ?? []))];
  return joined.flatMap((bridge) =>
    (bridges.get(bridge) ?? [])
      .filter(({ port, origin }) => port === bridge || (origin !== 'own' && !names.has(port)))
      .map(({ mac }) => mac),
  );
}

function parentOf(link: ObservedLink, byIndex: ReadonlyMap<number, ObservedLink>): ObservedLink | undefined {
  if (!ON_A_PARENT.has(link.kind) || link.parentElsewhere) return undefined;
  return byIndex.get(link.parent ?? 0);
}
