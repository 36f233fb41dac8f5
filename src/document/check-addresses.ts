import { contains, formatIpPrefix, isHostAddress, overlaps, rangeOf } from '../model/ip.ts';
import type { IpPrefix } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { problem } from './pointer.ts';
import { placeOf, subnetFor } from './resolved.ts';
import type { Located, Resolved, ResolvedEndpoint, ResolvedNetwork, WantedAddress } from './resolved.ts';

/** The checks that compare subnets and addresses. */
export const addressChecks: readonly ((resolved: Resolved) => Problem[])[] = [
  subnetOverlap,
  rangeInside,
  gatewayInside,
  addressInside,
  duplicateAddress,
  addressRequired,
  leaseOnWire,
];

type Placed = {
  readonly network: ResolvedNetwork;
  /** the network's place in the document */
  readonly order: number;
  readonly subnet: Located<IpPrefix>;
  readonly first: bigint;
  readonly last: bigint;
};

/**
 * One sweep over the subnets by first address, each compared with the one that reaches furthest so far: whatever
 * overlaps anything earlier overlaps that one, and a document may hold thousands of networks.
 */
function subnetOverlap({ networks }: Resolved): Problem[] {
  const [start, ...rest] = [...networks.values()].flatMap(placed).sort(byFirstAddress);
  if (!start) return [];
  const problems: Problem[] = [];
  let furthest = start;
  for (const current of rest) {
    if (overlaps(furthest.subnet.value, current.subnet.value)) problems.push(...overlapOf(furthest, current));
    if (familyOf(current) !== familyOf(furthest) || current.last > furthest.last) furthest = current;
  }
  return problems;
}

function placed(network: ResolvedNetwork, order: number): Placed[] {
  return network.subnets.map((subnet) => {
    const { first, last } = rangeOf(subnet.value);
    return { network, order, subnet, first, last };
  });
}

function familyOf({ subnet }: Placed): number {
  return subnet.value.family;
}

function byFirstAddress(a: Placed, b: Placed): number {
  return familyOf(a) - familyOf(b) || sign(a.first - b.first) || sign(b.last - a.last);
}

function sign(difference: bigint): number {
  return difference < 0n ? -1 : Number(difference > 0n);
}

/** Networks on one segment share its subnet, so there two equal ones are right. */
function overlapOf(a: Placed, b: Placed): Problem[] {
  const oneSegment = a.network.segment === b.network.segment;
  const equal = formatIpPrefix(a.subnet.value) === formatIpPrefix(b.subnet.value);
  if (oneSegment && equal) return [];
  const [earlier, later] = a.order <= b.order ? [a, b] : [b, a];
  const other = `${formatIpPrefix(earlier.subnet.value)} of network ${earlier.network.name}`;
  const remedy = oneSegment ? 'on the same segment they must be equal' : 'use subnets that do not overlap';
  return [problem(later.subnet.path, 'subnet_overlap', `overlaps ${other}; ${remedy}`)];
}

function rangeInside({ networks }: Resolved): Problem[] {
  return [...networks.values()].flatMap(({ range, subnets }) => {
    if (!range || subnets.some(({ value }) => isWithin(range.value, value))) return [];
    return [outside(range.path, formatIpPrefix(range.value), subnets)];
  });
}

function isWithin(inner: IpPrefix, outer: IpPrefix): boolean {
  return inner.length >= outer.length && contains(outer, inner.address);
}

function gatewayInside({ networks }: Resolved): Problem[] {
  return [...networks.values()].flatMap(({ gateways, subnets }) =>
    gateways
      .filter((gateway) => !subnets.some(({ value }) => isHostAddress(value, gateway.value)))
      .map((gateway) => outside(gateway.path, gateway.value, subnets)),
  );
}

function outside(path: string, what: string, subnets: readonly Located<IpPrefix>[]): Problem {
  const inside = subnets.map(({ value }) => formatIpPrefix(value)).join(' or ');
  const remedy =
    inside === '' ? 'the network has no subnet; give it one' : `use one that hosts may hold inside ${inside}`;
  return problem(path, 'address_outside_subnet', `cannot be ${what}: ${remedy}`);
}

function addressInside({ networks, endpoints }: Resolved): Problem[] {
  return endpoints.flatMap((endpoint) => {
    const network = networks.get(endpoint.network);
    return network ? endpoint.addresses.flatMap((wanted) => misplaced(network, wanted)) : [];
  });
}

function misplaced(network: ResolvedNetwork, { path, value }: Located<WantedAddress>): Problem[] {
  const subnet = subnetFor(network, value.address);
  // A network without subnets leaves addressing to its workloads, which must then say how long the prefix is.
  if (network.subnets.length === 0) {
    if (value.length !== undefined) return [];
    const reason = `needs a prefix length (${value.address}/24, say), since network ${network.name} has no subnet; add either`;
    return [problem(path, 'address_outside_subnet', reason)];
  }
  if (!subnet || !isHostAddress(subnet, value.address)) return [outside(path, value.address, network.subnets)];
  if (value.length === undefined || value.length === subnet.length) return [];
  const reason = `has prefix length ${value.length}, but the subnet is ${formatIpPrefix(subnet)}; write /${subnet.length} or leave it off`;
  return [problem(path, 'address_outside_subnet', reason)];
}

/** An address may be held once on a segment; the routers' addresses are held from the start. */
function duplicateAddress({ networks, endpoints }: Resolved): Problem[] {
  const holders = new Map<string, string>();
  for (const { segment, gateways, name } of networks.values()) {
    for (const gateway of gateways) holders.set(`${segment} ${gateway.value}`, `the gateway of network ${name}`);
  }
  return endpoints.flatMap((endpoint) => {
    const segment = networks.get(endpoint.network)?.segment;
    return segment === undefined ? [] : heldAlready(endpoint, segment, holders);
  });
}

function heldAlready(endpoint: ResolvedEndpoint, segment: string, holders: Map<string, string>): Problem[] {
  return endpoint.addresses.flatMap(({ path, value: { address } }) => {
    const holder = holders.get(`${segment} ${address}`);
    if (holder !== undefined) {
      return [problem(path, 'duplicate_address', `is ${address}, which is ${holder} already; use another`)];
    }
    holders.set(`${segment} ${address}`, `workload ${endpoint.workload} on ${endpoint.network}`);
    return [];
  });
}

/** On the plant's own subnet Linkspan cannot know which addresses are free. */
function addressRequired({ networks, endpoints }: Resolved): Problem[] {
  return endpoints.flatMap((endpoint) => {
    const network = networks.get(endpoint.network);
    if (!network || endpoint.addresses.length > 0 || !isPlantSubnet(network) || usesDhcp(network, endpoint)) return [];
    const reason = `needs an address: which of ${network.name}'s are free only the plant knows; add "address", or a "range" to the network`;
    return [problem(endpoint.path, 'address_required', reason)];
  });
}

/** A DHCP server is the plant's: it stands on the wire of a macvlan network, and no guard lets its answers cross sites. */
function leaseOnWire({ networks, endpoints }: Resolved): Problem[] {
  return endpoints
    .filter(({ raw, network }) => raw.address === 'dhcp' && networks.get(network)?.raw.driver !== 'macvlan')
    .map(({ path, network }) =>
      problem(
        `${path}/address`,
        'address_required',
        `cannot be dhcp: network ${network} is no macvlan network; write the address or leave it off`,
      ),
    );
}

function isPlantSubnet({ raw, subnets, range }: ResolvedNetwork): boolean {
  return placeOf(raw) !== undefined && subnets.length > 0 && range === undefined;
}

function usesDhcp({ raw }: ResolvedNetwork, endpoint: ResolvedEndpoint): boolean {
  return endpoint.raw.address === 'dhcp' || 'address' in raw;
}
