import type { DatapathState } from '../datapath/state.ts';
import { sharesMac, wireUnder } from '../drivers/attachment.ts';
import {
  type EndpointSpec,
  type HostView,
  type LinkSpec,
  type NetworkSpec,
  ON_LINK,
  waitingFor,
} from '../drivers/driver.ts';
import type { EngineHost } from '../drivers/engine.ts';
import { endpointAlias, linkNames } from '../drivers/naming.ts';
import { specify } from '../drivers/registry.ts';
import type { FdbRow } from '../host/fdb.ts';
import type { ObservedTable } from '../host/firewall.ts';
import type { HostRoute } from '../host/routes.ts';
import { contains, familyOf, type IpPrefix } from '../model/ip.ts';
import { parseMac } from '../model/mac.ts';
import type { DesiredState, Endpoint, Network } from '../model/network.ts';
import type { Remote, RemotesByVni } from '../model/peer.ts';
import type { Problem } from '../model/problem.ts';
import { intendNat, type NatFacts, type NatIntent, portOf } from './nat/intent.ts';

/** What shall stand on this host: the desired state worked out against what the host is. */
export type Intent = {
  readonly links: readonly LinkSpec[];
  readonly endpoints: readonly EndpointSpec[];
  /** of networks that wait, and those whose links are Docker's to move: they keep what they have */
  readonly pending: readonly Pick<EndpointSpec, 'endpoint' | 'alias' | 'temporary' | 'hostEnd'>[];
  readonly fdb: ReadonlyMap<string, readonly FdbRow[]>;
  readonly routes: readonly HostRoute[];
  readonly nat: NatIntent;
  /** what linkspan-datapath shall carry; undefined where no network is for it */
  readonly datapath: DatapathState | undefined;
  readonly networks: ReadonlyMap<string, NetworkSpec>;
  /** by object: what each network waits for, and which of a workload's ports are not published */
  readonly waiting: ReadonlyMap<string, Problem>;
};

/** A host as observed; what the networks want of it is added here. */
export type HostFacts = Omit<HostView, 'engines'> & {
  readonly engines: Omit<EngineHost, 'networks'>;
  /** of the embedded broker, where there is one */
  readonly brokerPort?: number | undefined;
};

/**
 * Asks each network's driver, and collects the answers. Pure.
 * @param handed endpoints whose links are Docker's to move into their sandboxes
 */
export function intend(
  desired: DesiredState,
  remotes: RemotesByVni,
  facts: HostFacts,
  seen: NatFacts,
  handed: readonly Endpoint[] = [],
): Intent {
  const overlays = desired.networks.flatMap((network) => (network.driver === 'overlay' ? [network] : []));
  const host: HostView = { ...facts, engines: { ...facts.engines, networks: overlays } };
  const networks = new Map<string, NetworkSpec>();
  const waiting = new Map<string, Problem>();
  for (const network of desired.networks) {
    const endpoints = desired.endpoints.filter((endpoint) => endpoint.network === network.name);
    const peers: readonly Remote[] = network.driver === 'overlay' ? (remotes.get(network.vni) ?? []) : [];
    const answer = specify(network, endpoints, peers, host);
    const spec = 'code' in answer ? answer : (nameTaken(network, answer, host) ?? answer);
    if ('code' in spec) waiting.set(`network/${network.name}`, spec);
    else networks.set(network.name, spec);
  }
  const specs = [...networks.values()];
  const fdb = new Map<string, readonly FdbRow[]>();
  for (const { device, row } of specs.flatMap((spec) => spec.fdb)) fdb.set(device, [...(fdb.get(device) ?? []), row]);
  const wanted = desired.endpoints.flatMap((endpoint) => {
    const spec = networks.get(endpoint.network);
    return spec === undefined ? [] : [specifyEndpoint(endpoint, spec, host, seen.firewall.bridge)];
  });
  const nat = intendNat(networks, wanted, seen, { vxlan: host.port, broker: facts.brokerPort });
  return {
    links: onceByName(specs.flatMap((spec) => spec.links)),
    endpoints: wanted,
    pending: [...desired.endpoints.filter((endpoint) => !networks.has(endpoint.network)), ...handed].map((endpoint) =>
      pendingOf(endpoint, host.gateway),
    ),
    fdb,
    routes: oncePerTarget(specs.flatMap((spec) => spec.routes)),
    nat,
    datapath: datapathState(specs, host),
    networks,
    waiting: new Map([...waiting, ...nat.problems]),
  };
}

/** Networks on one VLAN share its link, which is made before the first that hangs on it. */
function onceByName(links: readonly LinkSpec[]): readonly LinkSpec[] {
  return [...Map.groupBy(links, ({ name }) => name).values()].flatMap(([first]) => first ?? []);
}

/** The kernel takes one route to an address: of two, each look would set the other. */
function oncePerTarget(routes: readonly HostRoute[]): readonly HostRoute[] {
  return [...new Map(routes.toReversed().map((route) => [route.to, route])).values()].toReversed();
}

function pendingOf(endpoint: Endpoint, gateway: string): Intent['pending'][number] {
  const { temporary, hostEnd } = linkNames(endpoint);
  return { endpoint, alias: endpointAlias(gateway, endpoint.workload, endpoint.network), temporary, hostEnd };
}

function datapathState(specs: readonly NetworkSpec[], { underlay, port }: HostView): DatapathState | undefined {
  const networks = specs.flatMap((spec) => spec.datapath ?? []);
  if (underlay === undefined || networks.length === 0) return undefined;
  return { v: 1, vtep: { ip: underlay.address, port, ifindex: underlay.index }, networks };
}

/** A name that is a foreign link's: nothing of the network may stand then, or its table and rules would meet that link. */
function nameTaken(network: Network, { links }: NetworkSpec, host: HostView): Problem | undefined {
  const foreign = new Set(host.links.filter((link) => !link.ours).map((link) => link.name));
  const taken = links.find((link) => foreign.has(link.name));
  if (taken === undefined) return undefined;
  const { name } = taken;
  const message = `network ${network.name}: an interface ${name} exists already and is not Linkspan's; rename or delete it`;
  return waitingFor(network, message, 'name_taken');
}

/** The first router of each family that the workload can reach: the kernel takes no default route by another. */
function routersFor(endpoint: Endpoint, gateways: readonly string[]): readonly string[] {
  const own = gateways.filter((router) => endpoint.addresses.some((address) => reaches(address, router)));
  return ([4, 6] as const).flatMap((family) => own.find((router) => familyOf(router) === family) ?? []);
}

function reaches(own: IpPrefix, router: string): boolean {
  return ON_LINK.includes(router) ? familyOf(router) === own.family : contains(own, router);
}

/**
 * The workload's interface on a network that stands as `network` says. Pure.
 * @param bridgeRules our rules for bridges as they stand; where they are not known, the interface is safe without
 */
export function specifyEndpoint(
  endpoint: Endpoint,
  network: NetworkSpec,
  host: Pick<HostView, 'gateway' | 'links'>,
  bridgeRules?: ObservedTable,
): EndpointSpec {
  const key = `${endpoint.workload}/${endpoint.network}`;
  const { attachment } = network;
  const shares = sharesMac(attachment);
  const parent = shares ? host.links.find((link) => link.name === wireUnder(attachment)) : undefined;
  const names = linkNames(endpoint);
  return {
    endpoint,
    object: `endpoint/${key}`,
    alias: endpointAlias(host.gateway, endpoint.workload, endpoint.network),
    attachment,
    // Setting a passthru child's would change the plant-facing interface's.
    mac: shares ? undefined : endpoint.mac,
    seenMac: parseMac(parent?.mac ?? '') ?? endpoint.mac,
    mtu: network.mtu,
    gateways: routersFor(endpoint, [...(endpoint.router === undefined ? [] : [endpoint.router]), ...network.gateways]),
    ...names,
    port: portOf({ endpoint, ...names }, network.nat, bridgeRules),
  };
}
