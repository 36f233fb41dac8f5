import type { DockerEndpoint, DockerNetwork, DockerWishes } from '../model/docker.ts';
import type { Endpoint } from '../model/network.ts';

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
    ...(addresses.length === 0 && { addressing: 'none' }),
    ...(publish.length > 0 && { publish }),
    ...(names && { aliases: names }),
  };
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
