import { asFields, type Fields } from '../model/fields.ts';
import type { Arrivals } from './arrivals.ts';
import { type DockerContext, recordedEndpoint } from './context.ts';
import { createEndpoint } from './endpoints.ts';
import { deleteEndpoint, join, leave } from './joining.ts';
import type { Ipam } from './ipam.ts';
import { createNetwork, deleteNetwork } from './networks.ts';
import { programPorts } from './ports.ts';
import { readCreateEndpoint, readCreateNetwork, readEndpoint, readJoin, readNetwork, readPorts } from './requests.ts';

/** Answers one call, with nothing where there is nothing to say. What it throws is told to Docker's user. */
export type Method = (fields: Fields) => object | void | Promise<object | void>;

/** Every call of Docker's network and IPAM plugin protocol, by its path. */
export function methodsOf(context: DockerContext, ipam: Ipam, arrivals: Arrivals): ReadonlyMap<string, Method> {
  return new Map<string, Method>([
    ['/Plugin.Activate', () => ({ Implements: ['NetworkDriver', 'IpamDriver'] })],
    ['/NetworkDriver.GetCapabilities', () => ({ Scope: 'local', ConnectivityScope: 'global', GwAllocChecker: true })],
    ['/NetworkDriver.GwAllocCheck', gatewaysNeeded],
    ['/NetworkDriver.CreateNetwork', (fields) => createNetwork(context, readCreateNetwork(fields))],
    ['/NetworkDriver.DeleteNetwork', (fields) => deleteNetwork(context, readNetwork(fields))],
    ['/NetworkDriver.CreateEndpoint', (fields) => createEndpoint(context, readCreateEndpoint(fields))],
    ['/NetworkDriver.DeleteEndpoint', (fields) => deleteEndpoint(context, readEndpoint(fields).endpoint)],
    [
      '/NetworkDriver.EndpointOperInfo',
      (fields) => ({
        Value: {
          'com.docker.network.endpoint.macaddress': recordedEndpoint(context, readEndpoint(fields).endpoint).mac,
        },
      }),
    ],
    [
      '/NetworkDriver.Join',
      async (fields) => {
        const request = readJoin(fields);
        const answer = await join(context, request);
        arrivals.watch(request.endpoint);
        return answer;
      },
    ],
    [
      '/NetworkDriver.Leave',
      (fields) => {
        const request = readEndpoint(fields);
        arrivals.forget(request.endpoint);
        return leave(context, request);
      },
    ],
    [
      '/NetworkDriver.ProgramExternalConnectivity',
      (fields) => programPorts(context, readEndpoint(fields).endpoint, readPorts(fields)),
    ],
    ['/NetworkDriver.RevokeExternalConnectivity', () => ({})],
    ['/NetworkDriver.DiscoverNew', () => ({})],
    ['/NetworkDriver.DiscoverDelete', () => ({})],
    ['/IpamDriver.GetCapabilities', () => ({ RequiresMACAddress: false, RequiresRequestReplay: false })],
    ['/IpamDriver.GetDefaultAddressSpaces', () => ipam.spaces],
    ['/IpamDriver.RequestPool', (fields) => ipam.requestPool(fields)],
    ['/IpamDriver.ReleasePool', (fields) => ipam.releasePool(fields)],
    ['/IpamDriver.RequestAddress', (fields) => ipam.requestAddress(fields)],
    ['/IpamDriver.ReleaseAddress', (fields) => ipam.releaseAddress(fields)],
  ]);
}

/** Only a bridge network has its router here; elsewhere a router's address would be set aside for nobody. */
function gatewaysNeeded(fields: Fields): object {
  const { options } = readCreateNetwork({ NetworkID: 'none', Options: asFields('Options', fields['Options'] ?? {}) });
  const elsewhere = options.has('network') || options.has('vni') || options.has('parent');
  const skip = elsewhere || !['bridge', undefined].includes(options.get('driver'));
  return { SkipIPv4: skip, SkipIPv6: skip };
}
