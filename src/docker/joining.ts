import { handOver, takeBack } from '../attach/hand-over.ts';
import { type EndpointSpec, ON_LINK } from '../drivers/driver.ts';
import { endpointAlias, linkNames } from '../drivers/naming.ts';
import { hasInterface } from '../host/interfaces.ts';
import { removeLink } from '../host/rtnetlink.ts';
import type { DockerEndpoint, DockerNetwork } from '../model/docker.ts';
import { familyOf } from '../model/ip.ts';
import { endpointKey } from '../model/network.ts';
import { specifyEndpoint } from '../reconcile/intend.ts';
import { raise } from '../service/errors.ts';
import { type DockerContext, notReady, recordedEndpoint, recordedNetwork } from './context.ts';
import { endpointOf, networkName, workloadName } from './records.ts';
import type { EndpointRequest, JoinRequest } from './requests.ts';

/** What Docker is told of a container's interface, in the words of its protocol. */
export type JoinAnswer = {
  readonly InterfaceName: { readonly SrcName: string; readonly DstPrefix: string };
  readonly Gateway?: string;
  readonly GatewayIPv6?: string;
  readonly DisableGatewayService: boolean;
};

/**
 * The container's interface is made and given to Docker, which moves it into the sandbox. May be asked twice for one
 * endpoint: Docker asks again where the answer was lost.
 * @throws LinkspanError
 */
export async function join(context: DockerContext, request: JoinRequest): Promise<JoinAnswer> {
  const record = recordedEndpoint(context, request.endpoint);
  const network = recordedNetwork(context, record.network);
  const joined = { ...withoutInterface(record), sandbox: request.sandbox };
  const spec = await specOf(context, joined, network);
  // Of an earlier answer that was lost, or on its way out.
  if (hasInterface(spec.temporary)) await removeLink(spec.temporary);
  // Docker may have given up meanwhile and taken the endpoint away.
  recordedEndpoint(context, request.endpoint);
  context.records.endpoints.put(joined);
  const name = await handOver(spec);
  const routers = spec.gateways.filter((router) => !ON_LINK.includes(router));
  const [gateway, gateway6] = [4, 6].map((family) => routers.find((router) => familyOf(router) === family));
  // Docker can reach no router of ours by an address that is not of its subnet; that route is set afterwards.
  const routed = record.foreign.length === 0;
  return {
    InterfaceName: { SrcName: name, DstPrefix: network.prefix },
    ...(routed && gateway !== undefined && { Gateway: gateway }),
    ...(routed && gateway6 !== undefined && { GatewayIPv6: gateway6 }),
    // Without this Docker gives the container a second interface and a way out that nobody asked for.
    DisableGatewayService: routers.length === 0 || !routed,
  };
}

function withoutInterface({ interface: _gone, ...record }: DockerEndpoint): DockerEndpoint {
  return record;
}

/** The endpoint on its network as that stands now; a network that is still being made is waited for. */
export async function specOf(
  context: DockerContext,
  record: DockerEndpoint,
  network: DockerNetwork,
): Promise<EndpointSpec> {
  const endpoint = endpointOf(record, network);
  const find = (): EndpointSpec | undefined => {
    const view = context.view();
    const spec = view?.intent.networks.get(networkName(network));
    const stands = spec?.links.every(({ name }) => view?.seen.links.some((link) => link.name === name)) ?? false;
    if (view === undefined || endpoint === undefined || spec === undefined || !stands) return undefined;
    return specifyEndpoint(endpoint, spec, { gateway: context.gateway, links: view.seen.links });
  };
  const ready = find();
  if (ready !== undefined) return ready;
  await context.settled();
  return find() ?? raise(notReady(context, networkName(network)));
}

/**
 * Docker moves the link back by itself, and `deleteEndpoint` takes it away; only a lease is given back while the interface
 * stands. Unknown is left already.
 */
export async function leave(context: DockerContext, { endpoint }: EndpointRequest): Promise<void> {
  const record = context.records.endpoints.get(endpoint);
  if (record === undefined) return;
  if (record.dhcp !== undefined) await context.releaseLease(leaseKey(context, record));
  context.records.endpoints.put(withoutInterface(record));
}

function leaseKey(context: DockerContext, { id, network }: DockerEndpoint): string {
  return endpointKey({ workload: workloadName(id), network: networkName(recordedNetwork(context, network)) });
}

/** Takes the container's interface away and forgets it. What is unknown is gone already. */
export async function deleteEndpoint(context: DockerContext, endpoint: string): Promise<void> {
  const record = context.records.endpoints.get(endpoint);
  if (record === undefined) return;
  const network = context.records.networks.get(record.network);
  if (network !== undefined && record.sandbox !== undefined) {
    if (record.dhcp !== undefined) await context.releaseLease(leaseKey(context, record));
    // Or a cycle that looks just then misses the interface, and makes it anew.
    if (record.interface !== undefined) context.records.endpoints.put(withoutInterface(record));
    await takeAway(context, { ...record, sandbox: record.sandbox }, network);
  }
  context.records.endpoints.remove(endpoint);
  context.wake();
}

/**
 * In the host, where Docker puts it back, the interface is down and in nobody's way, its MAC free. The kernel takes 20 ms
 * to take it away, which Docker's user need not wait for, and what a crash leaves of it the first cycle prunes. From a
 * sandbox that Docker has lost it goes before its record does: nothing else says where to look.
 */
async function takeAway(
  context: DockerContext,
  { id, sandbox }: DockerEndpoint & { readonly sandbox: string },
  network: DockerNetwork,
): Promise<void> {
  const place = { workload: workloadName(id), network: networkName(network) };
  const { temporary } = linkNames(place);
  const alias = endpointAlias(context.gateway, place.workload, place.network);
  if (!hasInterface(temporary)) return takeBack(sandbox, alias);
  // A failure is the next cycle's to mend, and to tell of.
  const gone = removeLink(temporary).catch(() => {});
  void gone.then(() => context.wake());
}
