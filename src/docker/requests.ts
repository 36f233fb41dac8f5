import { asFields, asList, asNumber, asText, type Fields, refuse } from '../model/fields.ts';
import { type IpPrefix, networkOf, parseIp, parseIpPrefix } from '../model/ip.ts';
import { type Mac, parseMac } from '../model/mac.ts';
import type { Protocol } from '../model/network.ts';

/** One address pool of a network, as Docker's IPAM set it aside. `gateway` is an address of it. */
export type Pool = { readonly subnet: IpPrefix; readonly gateway: string | undefined };

export type CreateNetworkRequest = {
  readonly id: string;
  /** `docker network create -o KEY=VALUE` */
  readonly options: ReadonlyMap<string, string>;
  readonly internal: boolean;
  /** none where the network's IPAM driver is `null` */
  readonly pools: readonly Pool[];
};

/** `docker run -p`: port 0 of the host asks for any free one; a range for the first free one of it. */
export type PortRequest = {
  readonly protocol: Protocol;
  readonly port: number;
  readonly hostAddress: string | undefined;
  readonly hostPort: number;
  readonly hostPortEnd: number;
};

export type CreateEndpointRequest = {
  readonly network: string;
  readonly endpoint: string;
  readonly addresses: readonly IpPrefix[];
  readonly mac: Mac | undefined;
  readonly ports: readonly PortRequest[];
};

export type EndpointRequest = { readonly network: string; readonly endpoint: string };

/** `sandbox`: the path of the container's network namespace. */
export type JoinRequest = EndpointRequest & { readonly sandbox: string };

const ID = /^[A-Za-z0-9]{1,64}$/;
const SANDBOX = /^\/[\w./-]{1,200}$/;
const POOLS_MAX = 64;
const OPTIONS_MAX = 64;
const PORTS_MAX = 1024;
const OPTION_LENGTH_MAX = 1024;
const GENERIC = 'com.docker.network.generic';
const INTERNAL = 'com.docker.network.internal';
const PORT_MAP = 'com.docker.network.portmap';
/** IP protocol numbers (IANA), as Docker's port map has them */
const PROTOCOLS: ReadonlyMap<unknown, Protocol> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
]);

/** @throws LinkspanError `invalid`, as all readers here */
export function readCreateNetwork(fields: Fields): CreateNetworkRequest {
  const options = asFields('Options', fields['Options'] ?? {});
  return {
    id: asText('NetworkID', fields['NetworkID'], ID),
    options: readOptions(options[GENERIC]),
    internal: options[INTERNAL] === true,
    pools: [...readPools('IPv4Data', fields['IPv4Data']), ...readPools('IPv6Data', fields['IPv6Data'])],
  };
}

export function readNetwork(fields: Fields): string {
  return asText('NetworkID', fields['NetworkID'], ID);
}

export function readEndpoint(fields: Fields): EndpointRequest {
  return { network: readNetwork(fields), endpoint: asText('EndpointID', fields['EndpointID'], ID) };
}

export function readCreateEndpoint(fields: Fields): CreateEndpointRequest {
  const wanted = asFields('Interface', fields['Interface'] ?? {});
  const addresses = ['Address', 'AddressIPv6'].flatMap((key) => readPrefix(`Interface.${key}`, wanted[key]) ?? []);
  const mac = wanted['MacAddress'];
  return {
    ...readEndpoint(fields),
    addresses,
    mac: mac === undefined || mac === '' ? undefined : readMac(mac),
    ports: readPorts(fields),
  };
}

export function readJoin(fields: Fields): JoinRequest {
  return { ...readEndpoint(fields), sandbox: asText('SandboxKey', fields['SandboxKey'], SANDBOX) };
}

/** The published ports among the options of a CreateEndpoint or ProgramExternalConnectivity call. */
export function readPorts(fields: Fields): readonly PortRequest[] {
  const options = asFields('Options', fields['Options'] ?? {});
  return asList(PORT_MAP, options[PORT_MAP] ?? [], PORTS_MAX).map((item) => readPort(asFields(PORT_MAP, item)));
}

function readPort(fields: Fields): PortRequest {
  const hostPort = asNumber('HostPort', fields['HostPort'] ?? 0, 0, 65_535);
  const end = asNumber('HostPortEnd', fields['HostPortEnd'] ?? 0, 0, 65_535);
  const host = fields['HostIP'];
  const address = typeof host === 'string' && host !== '' ? parseIp(host) : undefined;
  return {
    protocol: PROTOCOLS.get(fields['Proto']) ?? refuse('Proto', '6 (tcp), 17 (udp) or 132 (sctp)'),
    port: asNumber('Port', fields['Port'], 1, 65_535),
    hostAddress: address === '0.0.0.0' || address === '::' ? undefined : address,
    hostPort,
    hostPortEnd: Math.max(hostPort, end),
  };
}

function readOptions(value: unknown): ReadonlyMap<string, string> {
  const entries = Object.entries(asFields(GENERIC, value ?? {}));
  if (entries.length > OPTIONS_MAX) refuse(GENERIC, `at most ${OPTIONS_MAX} options`);
  return new Map(entries.map(([key, text]) => [key, readOption(key, text)]));
}

/** `-o` gives text; the API's users may give numbers and booleans as well. */
function readOption(key: string, value: unknown): string {
  const text = typeof value === 'boolean' || typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string' || text.length > OPTION_LENGTH_MAX) {
    refuse(`option ${key}`, `text of at most ${OPTION_LENGTH_MAX} characters`);
  }
  return text;
}

/** A pool of length 0 is the `null` IPAM driver's word for none. */
function readPools(field: string, value: unknown): readonly Pool[] {
  return asList(field, value ?? [], POOLS_MAX).flatMap((item) => {
    const fields = asFields(field, item);
    const subnet = readPrefix(`${field}.Pool`, fields['Pool']);
    if (subnet === undefined || subnet.length === 0) return [];
    return [{ subnet: networkOf(subnet), gateway: readPrefix(`${field}.Gateway`, fields['Gateway'])?.address }];
  });
}

/** Empty text is none. */
export function readPrefix(field: string, value: unknown): IpPrefix | undefined {
  if (value === undefined || value === '') return undefined;
  const prefix = typeof value === 'string' ? parseIpPrefix(value) : undefined;
  return prefix ?? refuse(field, 'an address with its prefix length, such as 10.110.0.21/24');
}

function readMac(value: unknown): Mac {
  const mac = typeof value === 'string' ? parseMac(value) : undefined;
  return mac ?? refuse('Interface.MacAddress', 'a unicast MAC address');
}
