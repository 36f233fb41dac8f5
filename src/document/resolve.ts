import { dnsName } from '../model/dns-name.ts';
import { familyOf, ipFromNumber, isHostAddress, parseIp, rangeOf } from '../model/ip.ts';
import type { IpPrefix } from '../model/ip.ts';
import { parseMac } from '../model/mac.ts';
import type { Problem } from '../model/problem.ts';
import { vlanWords } from '../model/vlan.ts';
import { parseIp6, readMulticast, readPrefix, readSubnet, readUnicast, readWanted } from './addresses.ts';
import { pointer, shortened, spoken } from './pointer.ts';
import { PUBLISH_FORM, readPublish } from './publish.ts';
import type { RawDocument, RawEndpoint, RawNetwork } from './raw.ts';
import { placeOf } from './resolved.ts';
import type { Located, Resolved, ResolvedEndpoint, ResolvedNetwork } from './resolved.ts';

const SUBNET = 'a unicast prefix such as 10.110.0.0/24, at least /8 for IPv4 and /16 for IPv6';

/** Reads every address, prefix and MAC of a document; what cannot be read becomes a problem and is left out. */
export function resolve(document: RawDocument): { resolved: Resolved; problems: readonly Problem[] } {
  const reader = new Reader();
  const networks = Object.entries(document.spec.networks ?? {}).map(([name, raw]) => reader.network(name, raw));
  const endpoints = Object.entries(document.spec.workloads ?? {}).flatMap(([workload, { sandbox, networks: wanted }]) =>
    Object.entries(wanted).map(([network, raw], index) => reader.endpoint({ workload, network, sandbox }, raw, index)),
  );
  const byName = new Map(networks.map((network) => [network.name, network]));
  return { resolved: { document, networks: byName, endpoints }, problems: reader.problems };
}

class Reader {
  readonly problems: Problem[] = [];

  network(name: string, raw: RawNetwork): ResolvedNetwork {
    const path = pointer('spec', 'networks', name);
    const subnet = this.#read(`${path}/subnet`, raw.subnet, readSubnet, SUBNET);
    const subnet6 = this.#read(`${path}/subnet6`, raw.subnet6, readSubnet, SUBNET);
    const range = this.#read(`${path}/range`, raw.range, readPrefix, 'a prefix such as 10.110.0.128/25');
    const gateway = this.#read(`${path}/gateway`, raw.gateway, parseIp, 'an address such as 10.110.0.1');
    const gateway6 = this.#read(`${path}/gateway6`, raw.gateway6, parseIp6, 'an address such as fd00:110::1');
    if (gateway && gateway6 && familyOf(gateway.value) === 6) {
      this.#refuse(gateway.path, 'must be IPv4 where gateway6 is given as well');
    }
    const subnets = [subnet, subnet6].filter((item) => item !== undefined);
    const given = [gateway, gateway6].filter((item) => item !== undefined);
    if (subnet?.value.family === 6 && subnet6) this.#refuse(subnet.path, 'must be IPv4 where subnet6 is given as well');
    if (raw.driver === 'overlay') this.#overlay(path, raw.peers ?? [], raw.bum);
    return {
      name,
      path,
      raw,
      segment: segmentOf(name, raw),
      subnets,
      gateways: raw.driver === 'bridge' ? routersOf(subnets, given) : given,
      ...(range && { range }),
    };
  }

  /** `index` is the network's place among the workload's networks. In a container the names eth0, eth1, … are Docker's. */
  endpoint(
    place: Pick<ResolvedEndpoint, 'workload' | 'network' | 'sandbox'>,
    raw: RawEndpoint,
    index: number,
  ): ResolvedEndpoint {
    const path = pointer('spec', 'workloads', place.workload, 'networks', place.network);
    const text = raw.address === 'dhcp' ? undefined : raw.address;
    const first = this.#read(`${path}/address`, text, readWanted, 'an address such as 10.110.0.21');
    const second = this.#read(`${path}/address6`, raw.address6, readWanted, 'an address such as fd00:110::21');
    const mac = this.#read(`${path}/mac`, raw.mac, parseMac, 'a unicast MAC address such as 02:00:00:00:00:15');
    if (first && second && familyOf(first.value.address) === 6) {
      this.#refuse(first.path, 'must be IPv4 where address6 is given as well');
    }
    const addresses = [first, second].filter((item) => item !== undefined);
    const publish = (raw.publish ?? []).flatMap(
      (item, at) => this.#read(`${path}/publish/${at}`, item, readPublish, PUBLISH_FORM) ?? [],
    );
    const aliases = (raw.aliases ?? []).flatMap(
      (alias, at) => this.#read(`${path}/aliases/${at}`, alias, dnsName, 'a DNS name such as db')?.value ?? [],
    );
    const name = raw.interface ?? `${place.sandbox.container === undefined ? 'eth' : 'net'}${index}`;
    return { ...place, path, raw, interface: name, addresses, publish, aliases, ...(mac && { mac }) };
  }

  #overlay(
    path: string,
    peers: readonly string[],
    bum: 'replicate' | { readonly multicast: string } | undefined,
  ): void {
    for (const [index, peer] of peers.entries()) {
      this.#read(`${path}/peers/${index}`, peer, readUnicast, 'the unicast address of a VTEP');
    }
    const group = typeof bum === 'object' ? bum.multicast : undefined;
    this.#read(`${path}/bum/multicast`, group, readMulticast, 'a multicast address such as 239.1.1.10');
  }

  #read<T>(
    path: string,
    text: string | undefined,
    parse: (text: string) => T | undefined,
    wanted: string,
  ): Located<T> | undefined {
    if (text === undefined) return undefined;
    const value = parse(text);
    if (value !== undefined) return { path, value };
    this.#refuse(path, `must be ${wanted}, not "${shortened(text)}"`);
    return undefined;
  }

  #refuse(path: string, reason: string): void {
    this.problems.push({ path, code: 'schema', message: `${spoken(path)} ${reason}` });
  }
}

function segmentOf(name: string, raw: RawNetwork): string {
  const place = placeOf(raw);
  return place ? `uplink ${place.uplink} ${vlanWords(place)}` : `network ${name}`;
}

/** The bridge driver's router is the gateway itself: where none is named, the first address that a host may hold. */
function routersOf(
  subnets: readonly Located<IpPrefix>[],
  given: readonly Located<string>[],
): readonly Located<string>[] {
  const named = new Set(given.map(({ value }) => familyOf(value)));
  return [...given, ...subnets.filter(({ value }) => !named.has(value.family)).map((subnet) => firstHost(subnet))];
}

function firstHost(subnet: Located<IpPrefix>): Located<string> {
  const { first } = rangeOf(subnet.value);
  const { address, family } = subnet.value;
  const value = isHostAddress(subnet.value, address) ? address : ipFromNumber(first + 1n, family);
  return { path: subnet.path, value };
}
