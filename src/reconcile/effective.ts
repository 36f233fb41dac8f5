import { pickAddress } from '../ipam/pool.ts';
import { type IpPrefix, isHostAddress } from '../model/ip.ts';
import { endpointKey } from '../model/network.ts';
import type { DesiredState, Endpoint, Network } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';

/** An address that Linkspan picked once and keeps for the workload. */
export type Lease = {
  readonly workload: string;
  readonly network: string;
  readonly family: 4 | 6;
  readonly address: string;
};

/** Of the plant's DHCP server: an endpoint's address for now, and the router that came with it. */
export type PlantLeases = ReadonlyMap<string, { readonly address: IpPrefix; readonly router?: string }>;

export type Effective = {
  readonly desired: DesiredState;
  /** picked now: to be stored before they are used */
  readonly newLeases: readonly Lease[];
  /** of endpoints that are gone, outside a subnet that changed, or given to another by the document */
  readonly staleLeases: readonly Lease[];
  readonly problems: ReadonlyMap<string, Problem>;
};

/**
 * The document, with the attachments made on the spot and an address for each endpoint that names none. Pure.
 * @param remoteAddresses addresses in use at other sites, by network
 * @param plantLeases what the plant's DHCP server has said, by endpoint
 */
export function effective(
  document: DesiredState,
  attachments: readonly Endpoint[],
  leases: readonly Lease[],
  remoteAddresses: ReadonlyMap<string, ReadonlySet<string>>,
  gateway: string,
  plantLeases: PlantLeases = new Map(),
): Effective {
  const named = new Set(document.endpoints.map((endpoint) => endpointKey(endpoint)));
  const networks = new Map(document.networks.map((network) => [network.name, network]));
  const extra = attachments.filter((endpoint) => !named.has(endpointKey(endpoint)) && networks.has(endpoint.network));
  const all = [...document.endpoints, ...extra].map((endpoint) => withLease(endpoint, plantLeases));
  const [held, staleLeases] = partition(leases, (lease) => isHeld(lease, all, networks.get(lease.network)));
  const newLeases: Lease[] = [];
  const problems = new Map<string, Problem>();
  const taken = takenByNetwork(all, networks, held, remoteAddresses);
  const endpoints = all.flatMap((endpoint): readonly Endpoint[] => {
    const network = networks.get(endpoint.network);
    if (network === undefined || !picks(endpoint)) return [endpoint];
    const picked = addressesFor(endpoint, network, held, taken.get(network.name) ?? new Set(), gateway);
    if (picked === undefined) {
      problems.set(`endpoint/${endpointKey(endpoint)}`, exhausted(endpoint));
      return [];
    }
    newLeases.push(...picked.leases);
    return [{ ...endpoint, addresses: picked.addresses }];
  });
  return { desired: { ...document, endpoints }, newLeases, staleLeases, problems };
}

/** Whether the workload keeps the address. One that the document gives away by name is its new holder's. */
function isHeld(lease: Lease, endpoints: readonly Endpoint[], network: Network | undefined): boolean {
  const { address } = lease;
  const given = endpoints.some((e) => e.network === lease.network && e.addresses.some((a) => a.address === address));
  if (given || network?.gateways.includes(address)) return false;
  const wanted = endpoints.some(
    (endpoint) => endpoint.workload === lease.workload && endpoint.network === lease.network && picks(endpoint),
  );
  return wanted && (network?.subnets.some((subnet) => isHostAddress(subnet, address)) ?? false);
}

/** An endpoint without a lease has no address: where it is not attached yet, it waits. */
function withLease(endpoint: Endpoint, leases: PlantLeases): Endpoint {
  if (endpoint.addressing !== 'dhcp') return endpoint;
  const lease = leases.get(endpointKey(endpoint));
  if (lease === undefined) return { ...endpoint, addresses: [] };
  const { address, router } = lease;
  return { ...endpoint, addresses: [address], ...(router !== undefined && { router }) };
}

/** Whether Linkspan is to pick the endpoint's addresses. */
function picks({ addresses, addressing }: Endpoint): boolean {
  return addresses.length === 0 && addressing === undefined;
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [readonly T[], readonly T[]] {
  return [items.filter((item) => test(item)), items.filter((item) => !test(item))];
}

function takenByNetwork(
  endpoints: readonly Endpoint[],
  networks: ReadonlyMap<string, Network>,
  leases: readonly Lease[],
  remote: ReadonlyMap<string, ReadonlySet<string>>,
): Map<string, Set<string>> {
  const taken = new Map([...networks].map(([name, network]) => [name, new Set(network.gateways)]));
  for (const [name, addresses] of remote) for (const address of addresses) taken.get(name)?.add(address);
  for (const lease of leases) taken.get(lease.network)?.add(lease.address);
  for (const endpoint of endpoints) {
    for (const address of endpoint.addresses) taken.get(endpoint.network)?.add(address.address);
  }
  return taken;
}

function addressesFor(
  endpoint: Endpoint,
  network: Network,
  leases: readonly Lease[],
  taken: Set<string>,
  gateway: string,
): { addresses: Endpoint['addresses']; leases: readonly Lease[] } | undefined {
  const addresses: Endpoint['addresses'][number][] = [];
  const fresh: Lease[] = [];
  const { workload } = endpoint;
  for (const subnet of network.subnets) {
    const { family } = subnet;
    const held = leases.find((l) => l.workload === workload && l.network === network.name && l.family === family);
    if (held !== undefined) {
      addresses.push({ ...subnet, address: held.address });
      continue;
    }
    const pool = network.range?.family === family ? network.range : subnet;
    const picked = pickAddress({ pool, subnet, taken, key: `${gateway}/${endpointKey(endpoint)}` });
    if (picked === undefined) return undefined;
    taken.add(picked.address);
    addresses.push(picked);
    fresh.push({ workload, network: network.name, family, address: picked.address });
  }
  return { addresses, leases: fresh };
}

function exhausted(endpoint: Endpoint): Problem {
  const { workload, network } = endpoint;
  const message = `workload ${workload}: network ${network} has no free address left; widen its subnet or range, or detach a workload`;
  return { path: `/spec/workloads/${workload}/networks/${network}`, code: 'pool_exhausted', message };
}
