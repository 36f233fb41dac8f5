import { sharesMac } from '../drivers/attachment.ts';
import { isNamespace } from '../host/sandbox.ts';
import type { DockerEndpoint } from '../model/docker.ts';
import { formatIpPrefix, type IpPrefix } from '../model/ip.ts';
import { deriveMac } from '../model/derived-mac.ts';
import { hasOwnMacs, type Network, usesDhcp } from '../model/network.ts';
import { LinkspanError } from '../service/errors.ts';
import { addressesFor } from './addresses.ts';
import { type DockerContext, networkOf, notReady, others, recordedNetwork } from './context.ts';
import { deleteEndpoint } from './joining.ts';
import { listeningFor, portsOf } from './ports.ts';
import { workloadName } from './records.ts';
import type { CreateEndpointRequest } from './requests.ts';

/** What Docker is told of an endpoint. */
export type EndpointAnswer = { readonly MacAddress?: string; readonly Address?: string };

/** Below what the plugin has for an answer; a DHCP server that has not answered by then does not. */
const LEASE_MS = 6000;

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
  const shared = sharesMacs(context, network);
  if (request.mac !== undefined && shared) throw sharedMac(network, request.mac);
  const placed = usesDhcp(network) ? await lease(context, network, request) : addressed(context, network, request);
  refuseMac(context, network, request.endpoint, placed.mac);
  const published = portsOf(context, network, request, listening);
  context.records.endpoints.put({ id: request.endpoint, network: request.network, ...placed, publish: published });
  const news = newsOf(shared, request, placed);
  return Object.keys(news).length === 0 ? {} : { Interface: news };
}

type Placed = Pick<DockerEndpoint, 'mac' | 'addresses' | 'foreign' | 'dhcp'>;

function addressed(context: DockerContext, network: Network, request: CreateEndpointRequest): Placed {
  const { addresses, foreign } = addressesFor(context, network, request.endpoint, request.addresses);
  const mac = request.mac ?? deriveMac(network.name, addresses[0]?.address ?? request.endpoint);
  return { mac, addresses, foreign };
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
function newsOf(shared: boolean, request: CreateEndpointRequest, { mac, addresses }: Placed): EndpointAnswer {
  const [address] = request.addresses.length === 0 ? addresses.filter(({ family }) => family === 4) : [];
  return {
    // Docker would set it, which on a passthru interface sets the uplink's, and on an ipvlan one fails.
    ...(request.mac === undefined && !shared && { MacAddress: mac }),
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

/** As the network stands, which may be another way than it was asked for, or else will stand. */
function sharesMacs(context: DockerContext, network: Network): boolean {
  const attachment = context.view()?.intent.networks.get(network.name)?.attachment;
  return attachment === undefined ? !hasOwnMacs(network) : sharesMac(attachment);
}

function sharedMac(network: Network, mac: string): LinkspanError {
  return new LinkspanError({
    code: 'bad_option',
    object: `MAC ${mac} on ${network.name}`,
    reason: "cannot be had: this network's containers have the MAC of its parent",
    remedy: 'leave --mac-address off, or use a macvlan network in mode bridge, vepa or private',
  });
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
