import type { EndpointSpec, NatSpec, NetworkSpec, StretchSpec } from '../../drivers/driver.ts';
import { isSwitch } from '../../drivers/naming.ts';
import type { FirewallFamily, ObservedTable } from '../../host/firewall.ts';
import type { ObservedLink } from '../../host/links.ts';
import { familyOf } from '../../model/ip.ts';
import type { Observation } from '../observe.ts';
import { bridgeRules, portFlags } from './bridge-rules.ts';
import { dockerRules } from './docker-rules.ts';
import { inetRules, type OwnPorts } from './inet-rules.ts';
import { readMaps } from './maps.ts';
import { type Published, publish, type Publisher } from './translations.ts';

/** What the rules depend on beside what is wanted. */
export type NatFacts = Pick<Observation, 'links' | 'firewall' | 'forwarding' | 'listeners' | 'dockers'>;

/** How packets shall pass between the bridge networks and all else. */
export type NatIntent = Published & {
  /** bodies of our nftables tables; empty: no table */
  readonly tables: Readonly<Record<FirewallFamily, string>>;
  /** interfaces that must forward where the host as a whole does not: a network's packets, and their answers */
  readonly forwarding: Readonly<Record<4 | 6, readonly string[]>>;
  /** bridges by which packets from 127.0.0.0/8 must pass */
  readonly localnet: readonly string[];
  /** our rules in Docker's chain for its user */
  readonly docker: Readonly<Record<4 | 6, readonly string[]>>;
};

/** What the bridge networks and their workloads need of the host's packet filter. Pure. */
export function intendNat(
  networks: ReadonlyMap<string, NetworkSpec>,
  endpoints: readonly EndpointSpec[],
  facts: NatFacts,
  own: OwnPorts,
): NatIntent {
  const nats = [...networks.values()].flatMap((spec) => spec.nat ?? []);
  const published = publish(publishersOf(networks, endpoints), portFacts(facts));
  const { translations } = published;
  const forwarding = { 4: forwardingOf(nats, 4, facts.links), 6: forwardingOf(nats, 6, facts.links) };
  const guarded = (family: 4 | 6): boolean => !facts.forwarding[family].host && forwarding[family].length > 0;
  const stretches = [...networks.values()].flatMap((spec) => spec.stretch ?? []);
  const switches = switchesOf(stretches, facts.links);
  const foreign = facts.links.filter((link) => link.kind === 'bridge' && !link.ours).map(({ name }) => name);
  const otherBridges = [...foreign, ...switches];
  const inet = inetRules(nats, { translations, guarded: { 4: guarded(4), 6: guarded(6) }, otherBridges, own });
  const devices = (family: 4 | 6): readonly string[] =>
    addressed(facts.links, family).filter((name) => !isBridge(name));
  const docker = (family: 4 | 6): readonly string[] =>
    nats.length + switches.length === 0
      ? []
      : dockerRules(facts.dockers[family], nats.length === 0 ? [] : devices(family));
  return {
    ...published,
    tables: { inet, bridge: bridgeRules(portsOf(networks, endpoints), stretches) },
    forwarding,
    localnet: [...new Set(translations.filter(({ family }) => family === 4).map(({ bridge }) => bridge))],
    docker: { 4: docker(4), 6: docker(6) },
  };
}

/** Also those of networks that wait: theirs go on carrying frames. */
function switchesOf(stretches: readonly StretchSpec[], links: readonly ObservedLink[]): readonly string[] {
  const standing = links.filter(({ ours, alias }) => ours && isSwitch(alias)).map(({ name }) => name);
  return [...new Set([...standing, ...stretches.map(({ bridge }) => bridge)])].toSorted();
}

const isBridge = (name: string): boolean => name.startsWith('lsb-');

function publishersOf(
  networks: ReadonlyMap<string, NetworkSpec>,
  endpoints: readonly EndpointSpec[],
): readonly Publisher[] {
  return endpoints.flatMap((spec): readonly Publisher[] => {
    const nat = networks.get(spec.endpoint.network)?.nat;
    return nat === undefined || nat.internal ? [] : [{ spec, nat }];
  });
}

function portFacts({ links, listeners, firewall }: NatFacts): Parameters<typeof publish>[1] {
  const maps = readMaps(firewall.inet);
  return {
    links,
    listeners,
    published: (protocol, hostPort) => maps.some((one) => one.protocol === protocol && one.hostPort === hostPort),
  };
}

function portsOf(
  networks: ReadonlyMap<string, NetworkSpec>,
  endpoints: readonly EndpointSpec[],
): Parameters<typeof bridgeRules>[0] {
  return endpoints.flatMap((spec) => {
    const nat = networks.get(spec.endpoint.network)?.nat;
    return nat === undefined ? [] : [{ name: spec.hostEnd, role: roleOf(spec.endpoint, nat) }];
  });
}

function roleOf(
  { publish: ports = [] }: EndpointSpec['endpoint'],
  { icc, internal }: NatSpec,
): Parameters<typeof portFlags>[1] {
  return { apart: !icc, hairpin: ports.length > 0 && !internal };
}

/** The host end of a workload's veth on such a network. */
export function portOf(
  spec: Pick<EndpointSpec, 'endpoint' | 'hostEnd'>,
  nat: NatSpec | undefined,
  table: ObservedTable | undefined,
): EndpointSpec['port'] {
  return nat && portFlags(spec.hostEnd, roleOf(spec.endpoint, nat), table);
}

/** The networks' own bridges, and wherever an answer may come in: by each interface with an address of the family. */
function forwardingOf(nats: readonly NatSpec[], family: 4 | 6, links: readonly ObservedLink[]): readonly string[] {
  const leaving = nats.filter((nat) => !nat.internal && nat.subnets.some((subnet) => subnet.family === family));
  if (leaving.length === 0) return [];
  const others = addressed(links, family).filter((name) => !isBridge(name));
  return [...leaving.map(({ bridge }) => bridge), ...others];
}

function addressed(links: readonly ObservedLink[], family: 4 | 6): readonly string[] {
  return links.flatMap(({ name, addresses }) =>
    name !== 'lo' && addresses.some((address) => familyOf(address) === family) ? [name] : [],
  );
}
