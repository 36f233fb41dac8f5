import { type DesiredState, type Endpoint, isSite, type Network } from '../model/network.ts';
import type { DockerEndpoint, DockerNetwork } from '../model/docker.ts';
import { vlanWords } from '../model/vlan.ts';
import type { LeaseKeeper } from '../reconcile/lease-keeper.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import { LinkspanError } from '../service/errors.ts';
import { type DockerRecords, networkName } from './records.ts';

/** What the plugin's calls see of the gateway and may ask of it. */
export type DockerContext = {
  readonly gateway: string;
  readonly records: DockerRecords;
  /** the document's networks and endpoints */
  readonly document: () => DesiredState;
  /** the last look at the kernel; undefined before the first */
  readonly view: () => CycleView | undefined;
  /** addresses in use at other sites, by network */
  readonly remoteAddresses: (network: Network) => ReadonlySet<string>;
  /** resolves after a whole cycle that began after this call */
  readonly settled: () => Promise<void>;
  /** something was written that the next cycle is to see */
  readonly wake: () => void;
  /** containers came or went, which may be nothing to us: the host is looked at, once a second at most */
  readonly glance: () => void;
  /** asks the plant's DHCP server. @throws LinkspanError where there is none in time */
  readonly lease: LeaseKeeper['acquire'];
  /** gives it back; none is no error */
  readonly releaseLease: LeaseKeeper['release'];
  readonly log: (message: string) => void;
};

/** @throws LinkspanError `not_found` */
export function recordedNetwork(context: DockerContext, id: string): DockerNetwork {
  const network = context.records.networks.get(id);
  if (network !== undefined) return network;
  throw new LinkspanError({
    code: 'not_found',
    object: `Docker network ${id.slice(0, 12)}`,
    reason: 'is not known to this gateway (its state was lost, or it was made for another)',
    remedy: 'remove it with "docker network rm" and create it again',
  });
}

/** @throws LinkspanError `not_found` */
export function recordedEndpoint(context: DockerContext, id: string): DockerEndpoint {
  const endpoint = context.records.endpoints.get(id);
  if (endpoint !== undefined) return endpoint;
  throw new LinkspanError({
    code: 'not_found',
    object: `endpoint ${id.slice(0, 12)}`,
    reason: 'is not known to this gateway',
    remedy: 'start the container again',
  });
}

/** The network itself: the document's, or the one made on the spot. @throws LinkspanError `not_found` */
export function networkOf(context: DockerContext, record: DockerNetwork): Network {
  if ('own' in record) return record.own;
  const network = context.document().networks.find(({ name }) => name === record.joins);
  return network ?? raiseMissing(record.joins);
}

export function raiseMissing(name: string): never {
  throw new LinkspanError({
    code: 'missing_network',
    object: `network ${name}`,
    reason: "is not in this gateway's document",
    remedy: '"linkspan network ls" shows what there is; add it to the document, or leave -o network off',
  });
}

/** Every endpoint on the network's wire but the one of that id: the document's and Docker's. */
export function others(
  context: DockerContext,
  network: Network,
  except: string,
): readonly Pick<Endpoint, 'addresses' | 'mac' | 'workload'>[] {
  const view = context.view();
  const desired = view?.desired ?? context.document();
  const records = context.records.networks.list();
  const made = records.flatMap((record) => ('own' in record ? [record.own] : []));
  const near = new Set([...desired.networks, ...made].filter((one) => wireOf(one) === wireOf(network)).map(nameOf));
  const wanted = desired.endpoints.filter((endpoint) => near.has(endpoint.network) && endpoint.sandbox.kind !== 'path');
  const names = new Map(records.map((record) => [record.id, networkName(record)]));
  const docker = context.records.endpoints
    .list()
    .filter((record) => record.id !== except && near.has(names.get(record.network) ?? ''))
    .map(({ addresses, mac, id }) => ({ addresses, mac, workload: `container endpoint ${id.slice(0, 12)}` }));
  return [...wanted, ...docker];
}

/** Networks on one uplink and VLAN are one segment, which has every MAC and address once. */
export function wireOf(network: Network): string {
  if (!isSite(network)) return `network ${network.name}`;
  return `uplink ${network.uplink.interface} ${vlanWords(network)}`;
}

function nameOf({ name }: Network): string {
  return name;
}

/** What a container on a network that is still being made is told. */
export function notReady(context: DockerContext, name: string): LinkspanError {
  const why = context.view()?.problems.get(`network/${name}`)?.message;
  return new LinkspanError({
    code: 'waiting',
    object: `network ${name}`,
    reason: 'does not stand yet',
    remedy: why ?? 'see "linkspan status"; start the container again when it does',
  });
}
