import { randomBytes } from 'node:crypto';
import { pickAddress } from '../ipam/pool.ts';
import { asFields, asText, type Fields } from '../model/fields.ts';
import { contains, formatIpPrefix, type IpPrefix, overlaps, parseIp } from '../model/ip.ts';
import type { Network } from '../model/network.ts';
import { LinkspanError } from '../service/errors.ts';
import { exhausted, isOn, takenOn } from './addresses.ts';
import { type DockerContext, raiseMissing } from './context.ts';
import { readPrefix } from './requests.ts';

/** Addresses that Docker holds; the store satisfies it. */
export interface DockerAddresses {
  list(network: string): readonly { readonly address: string }[];
  put(row: { network: string; address: string; pool: string }): void;
  remove(pool: string, address: string): void;
  removePool(pool: string): void;
}

const SPACE = 'linkspan';
/** Options that no user has written. */
const DOCKERS_OWN = 'com.docker.';
const GATEWAY_ADDRESS = 'com.docker.network.gateway';
/** `<network>/<family>/<random>[/<range>]`: all that is to be known of a pool is in its id, so none is stored. */
const POOL_ID = /^([a-zA-Z0-9_.-]{1,63})\/([46])\/[0-9a-f]{16}(?:\/([0-9a-f.:]{2,45}\/\d{1,3}))?$/;

/**
 * The IPAM half of the plugin: the pool is a network of the document (`--ipam-opt network=line1`), whose addresses in use
 * at every site it knows; Docker's own IPAM knows this gateway's only.
 */
export class Ipam {
  readonly #context: DockerContext;
  readonly #held: DockerAddresses;

  constructor(context: DockerContext, held: DockerAddresses) {
    this.#context = context;
    this.#held = held;
  }

  /** @throws LinkspanError, as all of these */
  requestPool(fields: Fields): { PoolID: string; Pool: string; Data: Record<string, string> } {
    const options = asFields('Options', fields['Options'] ?? {});
    const unknown = Object.keys(options).find((key) => key !== 'network' && !key.startsWith(DOCKERS_OWN));
    if (unknown !== undefined) throw unknownOption(unknown);
    const network = this.#network(options['network']);
    const family = fields['V6'] === true ? 6 : 4;
    const subnet = network.subnets.find((prefix) => prefix.family === family);
    if (subnet === undefined) throw noSubnet(network, family);
    const asked = readPrefix('Pool', fields['Pool']);
    if (asked !== undefined && !overlaps(asked, subnet)) throw otherSubnet('--subnet', network, subnet, asked);
    const range = readPrefix('SubPool', fields['SubPool']);
    if (range !== undefined && !holds(subnet, range)) throw otherSubnet('--ip-range', network, subnet, range);
    const id = idOf(network.name, family, range);
    const router = network.gateways.find((address) => contains(subnet, address));
    // Docker wants a router for every pool. The network's own address is one that no container can have.
    const named = { ...subnet, address: router ?? subnet.address };
    return { PoolID: id, Pool: formatIpPrefix(subnet), Data: { [GATEWAY_ADDRESS]: formatIpPrefix(named) } };
  }

  releasePool(fields: Fields): void {
    this.#held.removePool(poolOf(fields).id);
  }

  requestAddress(fields: Fields): { Address: string; Data: Record<string, never> } {
    const pool = poolOf(fields);
    const network = this.#network(pool.network);
    const subnet = network.subnets.find((prefix) => prefix.family === pool.family);
    if (subnet === undefined) throw noSubnet(network, pool.family);
    const wanted = parseIp(asText('Address', fields['Address'] ?? '', /^[0-9a-fA-F:.]{0,45}$/));
    const taken = new Set([
      ...takenOn(this.#context, network, ''),
      ...this.#held.list(network.name).map((row) => row.address),
    ]);
    const address =
      wanted === undefined ? this.#pick(network, subnet, pool.range, taken) : wantedIn(network, subnet, wanted, taken);
    this.#held.put({ network: network.name, address: address.address, pool: pool.id });
    return { Address: formatIpPrefix(address), Data: {} };
  }

  releaseAddress(fields: Fields): void {
    const address = parseIp(asText('Address', fields['Address'], /^[0-9a-fA-F:.]{2,45}$/));
    if (address !== undefined) this.#held.remove(poolOf(fields).id, address);
  }

  get spaces(): { LocalDefaultAddressSpace: string; GlobalDefaultAddressSpace: string } {
    return { LocalDefaultAddressSpace: SPACE, GlobalDefaultAddressSpace: SPACE };
  }

  /** From a place of this gateway's own, so that sites that pick at the same moment rarely meet. */
  #pick(network: Network, subnet: IpPrefix, asked: IpPrefix | undefined, taken: ReadonlySet<string>): IpPrefix {
    const range = asked ?? (network.range?.family === subnet.family ? network.range : undefined);
    const key = `${this.#context.gateway}/${network.name}`;
    const picked = pickAddress({ pool: range ?? subnet, subnet, taken, key });
    if (picked === undefined) throw exhausted(network, subnet);
    return picked;
  }

  #network(name: unknown): Network {
    if (typeof name !== 'string' || name === '') throw unnamed();
    const networks = this.#context.document().networks;
    return networks.find((network) => network.name === name) ?? raiseMissing(name);
  }
}

type PoolId = {
  readonly id: string;
  readonly network: string;
  readonly family: 4 | 6;
  /** `--ip-range` */
  readonly range: IpPrefix | undefined;
};

function poolOf(fields: Fields): PoolId {
  const id = asText('PoolID', fields['PoolID'], POOL_ID);
  const [, network = '', family, range] = POOL_ID.exec(id) ?? [];
  return { id, network, family: family === '6' ? 6 : 4, range: readPrefix('PoolID', range) };
}

function holds(subnet: IpPrefix, range: IpPrefix): boolean {
  return range.family === subnet.family && range.length >= subnet.length && contains(subnet, range.address);
}

function wantedIn(network: Network, subnet: IpPrefix, address: string, taken: ReadonlySet<string>): IpPrefix {
  const free = !taken.has(address);
  if (free && isOn(network, address) && contains(subnet, address)) return { ...subnet, address };
  throw new LinkspanError({
    code: free ? 'address_outside_subnet' : 'duplicate_address',
    object: `address ${address} on ${network.name}`,
    reason: free ? `is none that a host may have in ${formatIpPrefix(subnet)}` : 'is in use, here or at another site',
    remedy: 'give another with --ip, or none',
  });
}

function idOf(network: string, family: 4 | 6, range: IpPrefix | undefined): string {
  const id = `${network}/${family}/${randomBytes(8).toString('hex')}`;
  return range === undefined ? id : `${id}/${formatIpPrefix(range)}`;
}

function unknownOption(key: string): LinkspanError {
  return new LinkspanError({
    code: 'bad_option',
    object: `--ipam-opt ${key}`,
    reason: 'is not known here',
    remedy: 'leave it off; there is network=NAME only',
  });
}

function unnamed(): LinkspanError {
  return new LinkspanError({
    code: 'bad_option',
    object: '--ipam-driver linkspan',
    reason: "hands out the addresses of a network of this gateway's document, and none is named",
    remedy: 'add --ipam-opt network=NAME beside -o network=NAME',
  });
}

function noSubnet(network: Network, family: 4 | 6): LinkspanError {
  return new LinkspanError({
    code: 'address_outside_subnet',
    object: `network ${network.name}`,
    reason: `has no IPv${family} subnet in the document`,
    remedy: family === 6 ? 'leave --ipv6 off, or give it a subnet6' : 'give it a subnet, or use --ipam-driver null',
  });
}

function otherSubnet(option: string, network: Network, subnet: IpPrefix, asked: IpPrefix): LinkspanError {
  return new LinkspanError({
    code: 'address_outside_subnet',
    object: `${option} ${formatIpPrefix(asked)}`,
    reason: `is not within the subnet of ${network.name}, which is ${formatIpPrefix(subnet)}`,
    remedy: `leave ${option} off`,
  });
}
