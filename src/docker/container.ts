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
  return {
    id,
    name,
    // One that shares another container's network has none of its own.
    sandbox: key === '' || key === undefined ? `/proc/${pid}/ns/net` : asText('SandboxKey', key, SANDBOX),
    onHost: mode === 'host',
    endpoints: readEndpoints(asFields('Networks', settings['Networks'] ?? {}), id, name),
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

/** The ids in the engine's list of running containers or of networks (`GET /containers/json`, `/networks`). @throws LinkspanError `invalid` */
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
