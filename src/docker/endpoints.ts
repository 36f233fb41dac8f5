import { handOver, takeBack } from '../attach/hand-over.ts';
import type { EndpointSpec } from '../drivers/driver.ts';
import { endpointAlias, linkNames } from '../drivers/naming.ts';
import { hasInterface } from '../host/interfaces.ts';
import { type Listener, readSockets } from '../host/listeners.ts';
import { removeLink } from '../host/rtnetlink.ts';
import { isNamespace } from '../host/sandbox.ts';
import type { DockerEndpoint, DockerNetwork } from '../model/docker.ts';
import { formatIpPrefix, type IpPrefix } from '../model/ip.ts';
import { deriveMac } from '../model/mac.ts';
import { endpointKey, type Network, type PublishedPort } from '../model/network.ts';
import { specifyEndpoint } from '../reconcile/intend.ts';
import { deleteLink } from '../reconcile/link-steps.ts';
import { LinkspanError, raise } from '../service/errors.ts';
import { addressesFor } from './addresses.ts';
import { type DockerContext, networkOf, others, recordedEndpoint, recordedNetwork } from './context.ts';
import { publish } from './ports.ts';
import { endpointOf, networkName, workloadName } from './records.ts';
import type { CreateEndpointRequest, EndpointRequest, JoinRequest, PortRequest } from './requests.ts';

/** What Docker is told of an endpoint. */
export type EndpointAnswer = { readonly MacAddress?: string; readonly Address?: string };

/** Below what the plugin has for an answer; a DHCP server that has not answered by then does not. */
const LEASE_MS = 6000;

/** What Docker is told of a container's interface, in the words of its protocol. */
export type JoinAnswer = {
  readonly InterfaceName: { readonly SrcName: string; readonly DstPrefix: string };
  readonly Gateway?: string;
  readonly GatewayIPv6?: string;
  readonly DisableGatewayService: boolean;
};

/**
 * A container's interface is decided on: its addresses, its ports, and a MAC that is a function of network and address,
 * so that a container made anew with the same address is known to its neighbours at once (with a new MAC they were
 * measured to send into the void for 47 s).
 * @returns what Docker left open: it takes no answer to what it said itself
 * @throws LinkspanError
 */
export async function createEndpoint(
  context: DockerContext,
  request: CreateEndpointRequest,
): Promise<{ readonly Interface?: EndpointAnswer }> {
  await supersede(context, request);
  const listening = await listeningFor(request.ports);
  const record = recordedNetwork(context, request.network);
  const network = networkOf(context, record);
  const placed = isLeased(network) ? await lease(context, network, request) : addressed(context, network, request);
  refuseMac(context, network, request.endpoint, placed.mac);
  const published = portsOf(context, network, request, listening);
  context.records.endpoints.put({ id: request.endpoint, network: request.network, ...placed, publish: published });
  const news = newsOf(request, placed);
  return Object.keys(news).length === 0 ? {} : { Interface: news };
}

type Placed = Pick<DockerEndpoint, 'mac' | 'addresses' | 'foreign' | 'dhcp'>;

function addressed(context: DockerContext, network: Network, request: CreateEndpointRequest): Placed {
  const { addresses, foreign } = addressesFor(context, network, request.endpoint, request.addresses);
  const mac = request.mac ?? deriveMac(network.name, addresses[0]?.address ?? request.endpoint);
  return { mac, addresses, foreign };
}

function isLeased(network: Network): boolean {
  return network.driver === 'macvlan' && network.dhcp === true;
}

/** The container starts with its address or not at all. */
async function lease(context: DockerContext, network: Network, request: CreateEndpointRequest): Promise<Placed> {
  const mac = request.mac ?? deriveMac(network.name, request.endpoint);
  const parent = context.view()?.intent.networks.get(network.name)?.attachment;
  if (parent?.type !== 'macvlan') throw notReady(context, network.name);
  const endpoint = { workload: workloadName(request.endpoint), network: network.name, mac, client: mac };
  const { address, router } = await context.lease(endpoint, parent, AbortSignal.timeout(LEASE_MS));
  const dhcp = router === undefined ? {} : { router };
  // Docker takes no answer to an address that it chose itself; then it is taken away when the interface is there.
  return { mac, addresses: [address], foreign: request.addresses, dhcp };
}

/** Docker takes an answer to what it left open only. */
function newsOf(request: CreateEndpointRequest, { mac, addresses }: Placed): EndpointAnswer {
  const [address] = request.addresses.length === 0 ? addresses.filter(({ family }) => family === 4) : [];
  return {
    ...(request.mac === undefined && { MacAddress: mac }),
    ...(address !== undefined && { Address: formatIpPrefix(address) }),
  };
}

/**
 * Docker gives an address to one container at a time, so whoever had it from Docker on this network is dead: a dockerd
 * that was killed never says so, and what it left behind would keep the address and the MAC from the next. So is what
 * the endpoint itself was before, where it is made a second time.
 */
async function supersede(context: DockerContext, request: CreateEndpointRequest): Promise<void> {
  const { network, endpoint, mac } = request;
  const wanted = new Set(request.addresses.map((address) => address.address));
  const dead = context.records.endpoints
    .list()
    .filter((other) => other.network === network)
    .filter(
      (other) =>
        other.id === endpoint ||
        givenTo(other).some((address) => wanted.has(address.address)) ||
        (other.mac === mac && other.sandbox !== undefined && !isNamespace(other.sandbox)),
    );
  for (const { id } of dead) await deleteEndpoint(context, id);
}

/** The addresses that Docker chose: where those are foreign, the others were picked here or by a DHCP server. */
function givenTo({ addresses, foreign }: DockerEndpoint): readonly IpPrefix[] {
  return foreign.length > 0 ? foreign : addresses;
}

function refuseMac(context: DockerContext, network: Network, endpoint: string, mac: string): void {
  const holder = others(context, network, endpoint).find((other) => other.mac === mac);
  if (holder === undefined) return;
  throw new LinkspanError({
    code: 'duplicate_mac',
    object: `MAC ${mac} on ${network.name}`,
    reason: `is ${holder.workload}'s`,
    remedy: 'give another with --mac-address',
  });
}

/** Only a bridge network has a way in from outside; on the others the container's address is reached itself, as with Docker's macvlan. */
function portsOf(
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
async function listeningFor(ports: readonly PortRequest[]): Promise<readonly PublishedPort[]> {
  if (ports.length === 0) return [];
  return (await readSockets()).map((socket) => portOfSocket(socket));
}

function portOfSocket({ protocol, port, address }: Pick<Listener, 'protocol' | 'port' | 'address'>): PublishedPort {
  const bound = { protocol, port, hostPort: port };
  // A socket on :: takes IPv4 as well, unless it was told not to, which the kernel's table does not say.
  return address === '::' ? bound : { ...bound, hostAddress: address };
}

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
  if (record.sandbox !== undefined) await deleteLink(spec.temporary);
  // Docker may have given up meanwhile and taken the endpoint away.
  recordedEndpoint(context, request.endpoint);
  context.records.endpoints.put(joined);
  const name = await handOver(spec);
  const [gateway, gateway6] = [4, 6].map((family) => spec.gateways.find((g) => g.includes(':') === (family === 6)));
  // Docker can reach no router of ours by an address that is not of its subnet; that route is set afterwards.
  const routed = record.foreign.length === 0;
  return {
    InterfaceName: { SrcName: name, DstPrefix: network.prefix },
    ...(routed && gateway !== undefined && { Gateway: gateway }),
    ...(routed && gateway6 !== undefined && { GatewayIPv6: gateway6 }),
    // Without this Docker gives the container a second interface and a way out that nobody asked for.
    DisableGatewayService: spec.gateways.length === 0 || !routed,
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

function notReady(context: DockerContext, name: string): LinkspanError {
  const why = context.view()?.problems.get(`network/${name}`)?.message;
  return new LinkspanError({
    code: 'waiting',
    object: `network ${name}`,
    reason: 'does not stand yet',
    remedy: why ?? 'see "linkspan status"; start the container again when it does',
  });
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
