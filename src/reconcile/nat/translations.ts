import type { EndpointSpec, NatSpec } from '../../drivers/driver.ts';
import type { ObservedLink } from '../../host/links.ts';
import type { Listener } from '../../host/listeners.ts';
import { contains, familyOf, parseIpPrefix } from '../../model/ip.ts';
import type { Protocol, PublishedPort } from '../../model/network.ts';
import type { Problem } from '../../model/problem.ts';
import { addressesMeet, boundAddress, familiesOf, formatPublished } from '../../model/published.ts';

/** One port of the gateway, at one address or at each of one family, and the port of a workload that it leads to. */
export type Translation = {
  readonly family: 4 | 6;
  readonly protocol: Protocol;
  readonly hostAddress: string | undefined;
  readonly hostPort: number;
  readonly address: string;
  readonly port: number;
  readonly bridge: string;
};

/** A workload's interface on a network that ports may be published from. */
export type Publisher = { readonly spec: EndpointSpec; readonly nat: NatSpec };

/** What else there is on the host that has to do with its ports. */
export type PortFacts = {
  readonly links: readonly ObservedLink[];
  readonly listeners: readonly Listener[];
  /** whether a port leads to a workload already */
  readonly published: (protocol: Protocol, hostPort: number) => boolean;
};

export type Published = {
  readonly translations: readonly Translation[];
  /** by endpoint's object: those in force */
  readonly ports: ReadonlyMap<string, readonly PublishedPort[]>;
  readonly problems: ReadonlyMap<string, Problem>;
};

/** The published ports of all workloads, but for those that somebody has already. Pure. */
export function publish(publishers: readonly Publisher[], facts: PortFacts): Published {
  const holders = new Map<string, { readonly hostAddress: string | undefined; readonly workload: string }[]>();
  const ports = new Map<string, readonly PublishedPort[]>();
  const problems = new Map<string, Problem>();
  const translations: Translation[] = [];
  for (const publisher of publishers) {
    const { object, endpoint } = publisher.spec;
    const inForce: PublishedPort[] = [];
    for (const port of endpoint.publish ?? []) {
      const key = `${port.protocol} ${port.hostPort}`;
      const held = holders.get(key) ?? [];
      const other = held.find(({ hostAddress }) => addressesMeet(hostAddress, port.hostAddress));
      const found = other === undefined ? translationsOf(port, publisher) : [];
      const reason = whyNot(port, other?.workload, found, facts);
      if (reason !== undefined && !problems.has(object)) problems.set(object, taken(publisher, port, reason));
      if (reason !== undefined && !reason.harmless) continue;
      holders.set(key, [...held, { hostAddress: port.hostAddress, workload: endpoint.workload }]);
      translations.push(...found);
      inForce.push(port);
    }
    if (inForce.length > 0) ports.set(object, inForce);
  }
  return { translations, ports, problems };
}

type Reason = {
  readonly text: string;
  readonly code: Problem['code'];
  /** nobody else has the port, so its rules may stand until it can be reached */
  readonly harmless: boolean;
};

function whyNot(
  port: PublishedPort,
  other: string | undefined,
  found: readonly Translation[],
  facts: PortFacts,
): Reason | undefined {
  if (other !== undefined)
    return { text: `workload ${other} publishes it; use another port`, code: 'port_taken', harmless: false };
  const listener = facts.listeners.find((candidate) => hides(port, candidate, facts));
  if (listener !== undefined) return { text: listening(listener), code: 'port_taken', harmless: false };
  if (found.length === 0)
    return { text: 'the workload has no address of that family', code: 'waiting', harmless: false };
  const { hostAddress } = port;
  if (hostAddress === undefined || boundAddress(hostAddress) === undefined || isOwn(hostAddress, facts.links))
    return undefined;
  return { text: `no interface of this gateway has ${hostAddress}; give it to one`, code: 'waiting', harmless: true };
}

/**
 * Whether the published port would keep packets from that service of the gateway: ssh, say. Of UDP a port that leads to
 * a workload stays so: a socket without a peer may as well be a client that the kernel gave a port for a moment.
 */
function hides(port: PublishedPort, listener: Listener, { published }: PortFacts): boolean {
  const { protocol, hostPort } = port;
  if (listener.protocol !== protocol || listener.port !== hostPort) return false;
  if (protocol === 'udp' && published(protocol, hostPort)) return false;
  // A socket on :: takes IPv4 as well, unless it was told not to, which the kernel's table does not say.
  const address = listener.address === '::' ? undefined : listener.address;
  return addressesMeet(port.hostAddress, address);
}

function listening({ address, port, process }: Listener): string {
  const where = familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
  return `${process ?? 'a process'} of this gateway listens on ${where}; use another port or host address, or end that service`;
}

function isOwn(address: string, links: readonly ObservedLink[]): boolean {
  const own = links.flatMap(({ addresses }) => addresses.map((text) => parseIpPrefix(text)));
  return address.startsWith('127.') || own.some((prefix) => prefix?.address === address);
}

function translationsOf(port: PublishedPort, { spec, nat }: Publisher): readonly Translation[] {
  return familiesOf(port.hostAddress).flatMap((family): readonly Translation[] => {
    const target = spec.endpoint.addresses.find(
      ({ address }) => familyOf(address) === family && nat.subnets.some((subnet) => contains(subnet, address)),
    );
    if (target === undefined) return [];
    const { protocol, hostPort, port: inside } = port;
    const hostAddress = boundAddress(port.hostAddress);
    const { address } = target;
    return [{ family, protocol, hostAddress, hostPort, address, port: inside, bridge: nat.bridge }];
  });
}

function taken({ spec }: Publisher, port: PublishedPort, { text, code }: Reason): Problem {
  const { workload, network } = spec.endpoint;
  const message = `workload ${workload}: ${formatPublished([port]).join()} is not published: ${text}`;
  return { path: `/spec/workloads/${workload}/networks/${network}/publish`, code, message };
}
