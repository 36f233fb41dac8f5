import { type Listener, readSockets } from '../host/listeners.ts';
import type { Network, PublishedPort } from '../model/network.ts';
import { addressesMeet } from '../model/published.ts';
import { LinkspanError } from '../service/errors.ts';
import { type DockerContext, networkOf, recordedEndpoint, recordedNetwork } from './context.ts';
import type { PortRequest } from './requests.ts';

/** Where Linux gives out ports by itself (ip_local_port_range's default), as Docker does for `-p 80`. */
const EPHEMERAL = { first: 32_768, last: 60_999 } as const;

/**
 * The gateway's ports for what `docker run -p` asks: the named one, or the first of its range that is free.
 * @param published by other endpoints of this gateway, or in use by its own services
 * @throws LinkspanError `port_taken`
 */
export function publish(
  requests: readonly PortRequest[],
  published: readonly PublishedPort[],
): readonly PublishedPort[] {
  const taken = [...published];
  for (const request of requests) taken.push(choose(request, taken));
  return taken.slice(published.length);
}

function choose(request: PortRequest, taken: readonly PublishedPort[]): PublishedPort {
  const { protocol, port, hostAddress } = request;
  const [first, last] =
    request.hostPort === 0 ? [EPHEMERAL.first, EPHEMERAL.last] : [request.hostPort, request.hostPortEnd];
  for (let hostPort = first; hostPort <= last; hostPort += 1) {
    const wanted = { protocol, port, hostPort, ...(hostAddress !== undefined && { hostAddress }) };
    if (!taken.some((other) => meets(wanted, other))) return wanted;
  }
  throw new LinkspanError({
    code: 'port_taken',
    object: `port ${first === last ? first : `${first}-${last}`}/${protocol} of this gateway`,
    reason: 'leads to another workload already, or a service of the gateway listens on it',
    remedy: 'publish another one with -p, or remove that workload or service',
  });
}

function meets(a: PublishedPort, b: PublishedPort): boolean {
  return a.protocol === b.protocol && a.hostPort === b.hostPort && addressesMeet(a.hostAddress, b.hostAddress);
}

/** Only a bridge network has a way in from outside; on the others the container's address is reached itself, as with Docker's macvlan. */
export function portsOf(
  context: DockerContext,
  network: Network,
  { endpoint, ports }: { readonly endpoint: string; readonly ports: readonly PortRequest[] },
  listening: readonly PublishedPort[],
): readonly PublishedPort[] {
  if (network.driver !== 'bridge' || network.internal || ports.length === 0) return [];
  const docker = context.records.endpoints.list().filter((other) => other.id !== endpoint);
  const document = context.document().endpoints;
  return publish(ports, [...listening, ...[...docker, ...document].flatMap((other) => other.publish ?? [])]);
}

/** Where services of the gateway itself listen; there, Docker's own driver starts no container either. */
export async function listeningFor(ports: readonly PortRequest[]): Promise<readonly PublishedPort[]> {
  if (ports.length === 0) return [];
  return (await readSockets()).map((socket) => portOfSocket(socket));
}

function portOfSocket({ protocol, port, address }: Pick<Listener, 'protocol' | 'port' | 'address'>): PublishedPort {
  const bound = { protocol, port, hostPort: port };
  // A socket on :: takes IPv4 as well, unless it was told not to, which the kernel's table does not say.
  return address === '::' ? bound : { ...bound, hostAddress: address };
}

/** Docker from 28 on names the ports only now, when the container has become reachable. */
export async function programPorts(
  context: DockerContext,
  endpoint: string,
  ports: readonly PortRequest[],
): Promise<void> {
  const listening = await listeningFor(ports);
  const record = recordedEndpoint(context, endpoint);
  if (record.publish.length > 0 || ports.length === 0) return;
  const network = networkOf(context, recordedNetwork(context, record.network));
  context.records.endpoints.put({ ...record, publish: portsOf(context, network, { endpoint, ports }, listening) });
  context.wake();
}
