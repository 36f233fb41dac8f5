import { pickAddress } from '../ipam/pool.ts';
import { contains, familyOf, formatIpPrefix, type IpPrefix, isHostAddress } from '../model/ip.ts';
import { isSite, type Network } from '../model/network.ts';
import { LinkspanError, raise } from '../service/errors.ts';
import { type DockerContext, others } from './context.ts';

export type Addressing = {
  readonly addresses: readonly IpPrefix[];
  /** those that Docker will set although the network does not have them */
  readonly foreign: readonly IpPrefix[];
};

/**
 * The addresses of a container on the network: those that Docker chose where they are the network's, and else ones
 * picked here, since Docker gives a network that joins the document's a pool of its own when nobody names one.
 * @param given what Docker chose; none where the network's IPAM driver is `null`
 * @throws LinkspanError where an address is taken or none is left
 */
export function addressesFor(
  context: DockerContext,
  network: Network,
  endpoint: string,
  given: readonly IpPrefix[],
): Addressing {
  const fits = (address: IpPrefix): boolean => network.subnets.some((subnet) => contains(subnet, address.address));
  if (network.subnets.length === 0 || given.every((address) => fits(address))) {
    for (const address of given) refuseTaken(context, network, endpoint, address);
    return { addresses: given.map((address) => lengthened(network, address)), foreign: [] };
  }
  return { addresses: pickAll(context, network, endpoint, given), foreign: given };
}

/** With the length of the network's own subnet, should Docker's be a part of it. */
function lengthened(network: Network, address: IpPrefix): IpPrefix {
  const subnet = network.subnets.find((prefix) => contains(prefix, address.address));
  return subnet === undefined ? address : { ...address, length: subnet.length };
}

function refuseTaken(context: DockerContext, network: Network, endpoint: string, wanted: IpPrefix): void {
  const { address } = wanted;
  const holder = others(context, network, endpoint).find((o) => o.addresses.some((a) => a.address === address));
  const remote = context.remoteAddresses(network).has(address);
  const who = holder?.workload ?? (remote ? 'a workload at another site' : undefined);
  if (who === undefined) return;
  throw new LinkspanError({
    code: 'duplicate_address',
    object: `address ${address} on ${network.name}`,
    reason: `is ${who}'s`,
    remedy:
      'give another with --ip, or let the network be made with --ipam-driver linkspan, which knows what is taken at every site',
  });
}

/** One address of each family, found again for the same Docker address where it is free. */
function pickAll(
  context: DockerContext,
  network: Network,
  endpoint: string,
  given: readonly IpPrefix[],
): readonly IpPrefix[] {
  const taken = takenOn(context, network, endpoint);
  const key = `${context.gateway}/${network.name}/${given.map((address) => address.address).join('/')}`;
  return network.subnets.flatMap((subnet) => {
    const range = network.range?.family === subnet.family ? network.range : undefined;
    if (range === undefined && isSite(network)) throw plantAddress(network, subnet);
    return pickAddress({ pool: range ?? subnet, subnet, taken, key }) ?? raise(exhausted(network, subnet));
  });
}

/** Every address of the network in use: here, at other sites, and its routers'. */
export function takenOn(context: DockerContext, network: Network, endpoint: string): ReadonlySet<string> {
  const here = others(context, network, endpoint).flatMap((other) => other.addresses.map((a) => a.address));
  return new Set([...network.gateways, ...here, ...context.remoteAddresses(network)]);
}

function plantAddress(network: Network, subnet: IpPrefix): LinkspanError {
  const text = formatIpPrefix(subnet);
  return new LinkspanError({
    code: 'address_required',
    object: `network ${network.name}`,
    reason: "stands on the plant's own subnet, where nobody here knows which addresses are free",
    remedy: `create the Docker network with --subnet ${text} and give each container its --ip, or set aside a "range" in the document`,
  });
}

export function exhausted(network: Network, subnet: IpPrefix): LinkspanError {
  return new LinkspanError({
    code: 'pool_exhausted',
    object: `network ${network.name}`,
    reason: `has no free address left in ${formatIpPrefix(subnet)}`,
    remedy: 'widen its subnet or range, or remove a container',
  });
}

/** Whether a host may have the address on the network. */
export function isOn(network: Network, address: string): boolean {
  return network.subnets.some((subnet) => subnet.family === familyOf(address) && isHostAddress(subnet, address));
}
