import type { DockerEndpoint, DockerNetwork, DockerWishes } from '../model/docker.ts';
import { type Endpoint, endpointKey } from '../model/network.ts';

/** Where the plugin's state survives: on the disk when a call returns. The store satisfies it. */
export interface Records<T extends { readonly id: string }> {
  list(): readonly T[];
  get(id: string): T | undefined;
  put(record: T): void;
  /** None is no error. */
  remove(id: string): void;
}

export type DockerRecords = {
  readonly networks: Records<DockerNetwork>;
  readonly endpoints: Records<DockerEndpoint>;
};

export function networkName(record: DockerNetwork): string {
  return 'joins' in record ? record.joins : record.own.name;
}

/** The name of a container's endpoint among the workloads: Docker gives a plugin no other. */
export function workloadName(endpoint: string): string {
  return `docker-${endpoint.slice(0, 12)}`;
}

/** The record as the endpoint that it asks for; undefined until Docker has said where. */
export function endpointOf(record: DockerEndpoint, network: DockerNetwork): Endpoint | undefined {
  const { sandbox, mac, addresses, publish, names } = record;
  if (sandbox === undefined) return undefined;
  return {
    workload: workloadName(record.id),
    anonymous: true,
    network: networkName(network),
    sandbox: { kind: 'path', path: sandbox },
    interface: record.interface ?? '',
    mac,
    addresses,
    ...addressingOf(record),
    ...(publish.length > 0 && { publish }),
    ...(names && { aliases: names }),
  };
}

/** A container's name is told to no plugin, so the server knows it by its MAC: the one thing that its user can keep. */
function addressingOf({ addresses, dhcp, mac }: DockerEndpoint): Partial<Endpoint> {
  if (dhcp !== undefined) return { addressing: 'dhcp', client: mac, ...dhcp };
  return addresses.length === 0 ? { addressing: 'none' } : {};
}

/** Of every endpoint with a lease: those on their way into their containers have theirs already. */
export function leaseKeys({ networks, endpoints }: DockerRecords): ReadonlySet<string> {
  const names = new Map(networks.list().map((network) => [network.id, networkName(network)]));
  return new Set(
    endpoints
      .list()
      .filter((record) => record.dhcp !== undefined)
      .map((record) => endpointKey({ workload: workloadName(record.id), network: names.get(record.network) ?? '' })),
  );
}

export function wishesOf({ networks, endpoints }: DockerRecords): DockerWishes {
  const known = new Map(networks.list().map((network) => [network.id, network]));
  const wanted = endpoints.list().flatMap((record) => {
    const network = known.get(record.network);
    const endpoint = network && endpointOf(record, network);
    return endpoint === undefined ? [] : [{ endpoint, attached: record.interface !== undefined }];
  });
  return {
    networks: [...known.values()].flatMap((network) => ('own' in network ? [network.own] : [])),
    endpoints: wanted.filter(({ attached }) => attached).map(({ endpoint }) => endpoint),
    handed: wanted.filter(({ attached }) => !attached).map(({ endpoint }) => endpoint),
  };
}
