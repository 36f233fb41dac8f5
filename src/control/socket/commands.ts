import { type Refusal, refuse } from '../request/refusal.ts';
import { familyOf, isHostAddress, parseIp, parseIpPrefix } from '../../model/ip.ts';
import type { IpPrefix } from '../../model/ip.ts';
import { deriveMac } from '../../model/derived-mac.ts';
import { type Endpoint, isSite, type Network, sandboxPath, usesDhcp } from '../../model/network.ts';
import type { EndpointStatus } from '../../model/status.ts';
import type { AttachRequest } from '../request/attach-request.ts';
import { clearDuplicate, type ClearOptions } from './clear-duplicate.ts';
import { conflict } from './conflict.ts';
import type { Commands } from './writes.ts';

/** Attachments made outside the document; the store satisfies it. */
export interface AttachmentStore {
  list(): readonly Endpoint[];
  put(endpoint: Endpoint): void;
  remove(workload: string, network: string): void;
}

export type CommandsOptions = ClearOptions & {
  readonly attachments: AttachmentStore;
  readonly endpoints: () => readonly EndpointStatus[];
};

/** What the control socket may ask for; Docker's plugin and other callers will come in the same way. */
export function createCommands(options: CommandsOptions): Commands {
  const { documents } = options;
  return {
    apply: (body) => documents.submit(body, 'cli'),
    validate: (body) => documents.validate(body),
    attach: (request) => attach(request, options),
    detach: (workload, network) => detach(workload, network, options),
    clear: ({ network, mac }) => clearDuplicate(network, mac, options),
  };
}

async function attach(request: AttachRequest, options: CommandsOptions): ReturnType<Commands['attach']> {
  const { documents, attachments } = options;
  const { workload, network: name } = request;
  const network = documents.desired.networks.find((candidate) => candidate.name === name);
  if (network === undefined) {
    const message = `there is no network ${name}; "linkspan network ls" shows what there is, the document adds one`;
    return refuse('not_found', 'missing_network', message);
  }
  const endpoint = endpointOf(request, network, [...documents.desired.endpoints, ...attachments.list()]);
  if ('ok' in endpoint) return endpoint;
  const before = attachments.list().find((e) => e.workload === workload && e.network === name);
  const refusal = conflict(endpoint, network, documents.desired, attachments.list(), options.endpoints());
  if (refusal !== undefined) return refusal;
  attachments.put(endpoint);
  await options.settled();
  const status = options.endpoints().find((e) => e.workload === workload && e.network === name);
  if (status?.state === 'attached') return { ok: true, endpoint: status };
  // Nothing half-done stays behind: an attach that did not come about leaves the wishes as they were before it.
  if (before === undefined) attachments.remove(workload, name);
  else attachments.put(before);
  await options.settled();
  return refuse('failed', 'failed', status?.problem ?? `workload ${workload} could not be attached; see the log`);
}

function endpointOf(request: AttachRequest, network: Network, others: readonly Endpoint[]): Endpoint | Refusal {
  const address = request.address === undefined ? undefined : addressIn(request.address, network);
  if (request.address !== undefined && address === undefined) {
    const message = `${request.address} is no address that a host may hold inside network ${network.name}; choose one of its subnet`;
    return refuse('refused', 'address_outside_subnet', message);
  }
  if (address === undefined && isSite(network) && !usesDhcp(network) && network.subnets.length > 0 && !network.range) {
    const message = `network ${network.name} stands on the plant's own subnet, where Linkspan cannot know which addresses are free; give --address, or set aside a "range" in the document`;
    return refuse('refused', 'address_required', message);
  }
  const place = sandboxPath(request.sandbox);
  const siblings = others
    .filter((other) => other.workload !== request.workload || other.network !== network.name)
    .filter((other) => other.workload === request.workload || sandboxPath(other.sandbox) === place);
  return {
    workload: request.workload,
    network: network.name,
    sandbox: request.sandbox,
    interface: request.interface ?? freeInterface(siblings, request.sandbox.kind === 'container' ? 'net' : 'eth'),
    mac: request.mac ?? deriveMac(network.name, request.workload),
    addresses: address === undefined ? [] : [address],
    ...(address === undefined && usesDhcp(network) && { addressing: 'dhcp' as const }),
  };
}

/** In a container the names eth0, eth1, … are Docker's. */
function freeInterface(siblings: readonly Endpoint[], prefix: 'eth' | 'net'): string {
  const used = new Set(siblings.map((endpoint) => endpoint.interface));
  for (let n = 0; ; n += 1) if (!used.has(`${prefix}${n}`)) return `${prefix}${n}`;
}

function addressIn(text: string, network: Network): IpPrefix | undefined {
  const plain = parseIp(text) ?? parseIpPrefix(text)?.address;
  const subnet = network.subnets.find((prefix) => plain !== undefined && prefix.family === familyOf(plain));
  if (plain === undefined || subnet === undefined || !isHostAddress(subnet, plain)) return undefined;
  return { ...subnet, address: plain };
}

async function detach(
  workload: string,
  network: string | undefined,
  options: CommandsOptions,
): ReturnType<Commands['detach']> {
  const { documents, attachments } = options;
  const matches = (endpoint: Endpoint): boolean =>
    endpoint.workload === workload && (network === undefined || endpoint.network === network);
  const own = attachments.list().filter((endpoint) => matches(endpoint));
  if (own.length === 0 && documents.desired.endpoints.some((endpoint) => matches(endpoint))) {
    const message = `workload ${workload} is attached by the document; take it out there, or it would come back`;
    return refuse('refused', 'failed', message);
  }
  if (own.length === 0) {
    return refuse('not_found', 'failed', `workload ${workload} is not attached; "linkspan endpoint ls" shows what is`);
  }
  for (const endpoint of own) attachments.remove(endpoint.workload, endpoint.network);
  await options.settled();
  return { ok: true, removed: own.length };
}
