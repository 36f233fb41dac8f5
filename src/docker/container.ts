import { parseIp } from '../model/ip.ts';
import { asFields, asList, asNumber, asText, type Fields } from '../model/fields.ts';

/** A running container, as far as its network goes. */
export type Container = {
  readonly id: string;
  readonly name: string;
  /** the path of its network namespace */
  readonly sandbox: string;
  /** it has no network of its own but the host's */
  readonly onHost: boolean;
  /** by Docker's endpoint id: the names that it goes by there, its own first */
  readonly endpoints: ReadonlyMap<string, readonly string[]>;
  /** those that Docker chose, on all its networks */
  readonly addresses: readonly string[];
};

const ID = /^[0-9a-f]{12,64}$/;
/** Docker sets no length. */
const NAME = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]{0,4095}$/;
const DNS_NAME = /^[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?$/;
const SANDBOX = /^\/[\w./-]{1,200}$/;
const PID_MAX = 2 ** 22;
const NETWORKS_MAX = 256;
/** of which a workload goes by the first ones */
const [ALIASES_MAX, NAMES_MAX] = [10_000, 64];
/** What Docker adds to a container's aliases: the beginning of its id */
const SHORT_ID = 12;

/**
 * Reads what the engine says of a container (`GET /containers/ID/json`), or undefined where it does not run.
 * @throws LinkspanError `invalid`
 */
export function readContainer(value: unknown): Container | undefined {
  const fields = asFields('container', value);
  const state = asFields('State', fields['State']);
  const pid = asNumber('State.Pid', state['Pid'] ?? 0, 0, PID_MAX);
  if (pid === 0) return undefined;
  const id = asText('Id', fields['Id'], ID);
  const name = asText('Name', fields['Name'], NAME).replace(/^\//, '');
  const settings = asFields('NetworkSettings', fields['NetworkSettings']);
  const key = settings['SandboxKey'];
  const mode = asFields('HostConfig', fields['HostConfig'] ?? {})['NetworkMode'];
  const networks = asFields('Networks', settings['Networks'] ?? {});
  return {
    id,
    name,
    // One that shares another container's network has none of its own.
    sandbox: key === '' || key === undefined ? `/proc/${pid}/ns/net` : asText('SandboxKey', key, SANDBOX),
    onHost: mode === 'host',
    endpoints: readEndpoints(networks, id, name),
    addresses: Object.values(networks)
      .slice(0, NETWORKS_MAX)
      .flatMap((one) => addressesIn(asFields('Networks', one), ['IPAddress', 'GlobalIPv6Address'])),
  };
}

function readEndpoints(networks: Fields, id: string, name: string): Container['endpoints'] {
  const entries = Object.values(networks).slice(0, NETWORKS_MAX);
  return new Map(
    entries.flatMap((value) => {
      const fields = asFields('Networks', value);
      const endpoint = fields['EndpointID'];
      if (typeof endpoint !== 'string' || !ID.test(endpoint)) return [];
      const aliases = [...readNames(fields['Aliases']), ...readNames(fields['DNSNames'])];
      const names = [name, ...aliases].filter((alias) => DNS_NAME.test(alias) && alias !== id.slice(0, SHORT_ID));
      return [[endpoint, [...new Set(names)]] as const];
    }),
  );
}

function readNames(value: unknown): readonly string[] {
  const names = asList('Aliases', value ?? [], ALIASES_MAX).filter((name) => typeof name === 'string');
  return names.slice(0, NAMES_MAX);
}

function addressesIn(fields: Fields, names: readonly string[]): readonly string[] {
  const texts = names.map((name) => fields[name]).filter((text) => typeof text === 'string');
  return texts.flatMap((text) => parseIp(text.split('/')[0] ?? '') ?? []);
}

/** A network of the engine's, with the addresses that no container of it has: routers', and those set aside. */
export type EngineNetwork = { readonly id: string; readonly addresses: readonly string[] };

/** The engine's list of networks (`GET /networks`). @throws LinkspanError `invalid` */
export function readNetworks(value: unknown, max: number): readonly EngineNetwork[] {
  return asList('list', value, max).map((item) => {
    const fields = asFields('item', item);
    const ipam = asFields('IPAM', fields['IPAM'] ?? {});
    const configs = asList('Config', ipam['Config'] ?? [], NETWORKS_MAX).map((one) => asFields('Config', one));
    const addresses = configs.flatMap((config) => {
      const aside = asFields('AuxiliaryAddresses', config['AuxiliaryAddresses'] ?? {});
      return addressesIn(config, ['Gateway']).concat(addressesIn(aside, Object.keys(aside)));
    });
    return { id: asText('Id', fields['Id'], ID), addresses };
  });
}

/** The ids in the engine's list of running containers (`GET /containers/json`). @throws LinkspanError `invalid` */
export function readIds(value: unknown, max: number): readonly string[] {
  return asList('list', value, max).map((item) => asText('Id', asFields('item', item)['Id'], ID));
}

/** The container that an event (a line of `GET /events`) is about. @throws LinkspanError `invalid` */
export function readEvent(line: string): { readonly container: string } | undefined {
  const fields = asFields('event', JSON.parse(line));
  const actor = asFields('Actor', fields['Actor'] ?? {});
  const attributes = asFields('Attributes', actor['Attributes'] ?? {});
  const container = fields['Type'] === 'network' ? attributes['container'] : actor['ID'];
  return typeof container === 'string' && ID.test(container) ? { container } : undefined;
}
