import type { PublishedPort } from '../model/network.ts';
import { addressesMeet } from '../model/published.ts';
import { LinkspanError } from '../service/errors.ts';
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
