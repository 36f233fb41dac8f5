import type { PublishedPort } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import { addressesMeet } from '../model/published.ts';
import { problem } from './pointer.ts';
import type { Located, Resolved, ResolvedEndpoint, ResolvedNetwork } from './resolved.ts';

/** Each is an entry of the kernel's table, which is read at every look. */
const PORTS_MAX = 8192;

/** The checks of published ports. */
export const publishedChecks: readonly ((resolved: Resolved) => Problem[])[] = [
  tooManyPorts,
  unpublishable,
  loopback6,
  duplicatePort,
];

function tooManyPorts({ endpoints }: Resolved): Problem[] {
  let count = 0;
  for (const { path, value } of endpoints.flatMap(({ publish }) => publish)) {
    count += value.length;
    if (count > PORTS_MAX) {
      return [problem(path, 'too_large', `makes more than ${PORTS_MAX} published ports; publish fewer`)];
    }
  }
  return [];
}

function unpublishable({ networks, endpoints }: Resolved): Problem[] {
  return endpoints.flatMap(({ publish, path, network }) => {
    const reason = publish.length === 0 ? undefined : whyNot(networks.get(network));
    return reason === undefined ? [] : [problem(`${path}/publish`, 'unpublishable', reason)];
  });
}

function whyNot(network: ResolvedNetwork | undefined): string | undefined {
  if (network === undefined) return undefined;
  const { name, raw } = network;
  if (raw.driver !== 'bridge')
    return `cannot publish on ${name}, where the workload has an address of its own; reach it there and leave this off`;
  return raw.internal === true
    ? `cannot publish on ${name}, which is internal; leave this off, or "internal" off the network`
    : undefined;
}

/** The kernel lets no packet from ::1 leave the host, not even into its own bridge. */
function loopback6({ endpoints }: Resolved): Problem[] {
  return endpoints
    .flatMap(({ publish }) => publish)
    .filter(({ value }) => value[0]?.hostAddress === '::1')
    .map(({ path }) => problem(path, 'unpublishable', 'cannot be published at ::1; use 127.0.0.1'));
}

type Holder = { readonly hostAddress: string | undefined; readonly workload: string };

function duplicatePort({ endpoints }: Resolved): Problem[] {
  const holders = new Map<string, Holder[]>();
  return endpoints.flatMap((endpoint) => endpoint.publish.flatMap((item) => twice(item, endpoint, holders)));
}

/** One problem for an item, however many ports of a range are held already. */
function twice(
  { path, value }: Located<readonly PublishedPort[]>,
  { workload }: ResolvedEndpoint,
  holders: Map<string, Holder[]>,
): Problem[] {
  const clashes = value.flatMap((port) => {
    const earlier = claim(port, workload, holders);
    return earlier === undefined ? [] : [{ port, earlier }];
  });
  const [first] = clashes;
  if (first === undefined) return [];
  const { hostPort, protocol } = first.port;
  const reason = `publishes ${hostPort}/${protocol}, which workload ${first.earlier} publishes already; use another port, or host addresses that differ`;
  return [problem(path, 'duplicate_port', reason)];
}

/** Enters the port, and returns the workload that has it already. */
function claim(port: PublishedPort, workload: string, holders: Map<string, Holder[]>): string | undefined {
  const { protocol, hostPort, hostAddress } = port;
  const key = `${protocol} ${hostPort}`;
  const held = holders.get(key) ?? [];
  holders.set(key, [...held, { hostAddress, workload }]);
  return held.find((other) => addressesMeet(other.hostAddress, hostAddress))?.workload;
}
