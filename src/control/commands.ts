import { familyOf, isHostAddress, parseIp, parseIpPrefix } from '../model/ip.ts';
import type { IpPrefix } from '../model/ip.ts';
import { deriveMac } from '../model/mac.ts';
import type { DesiredState, Endpoint, Network } from '../model/network.ts';
import type { Problem, ProblemCode } from '../model/problem.ts';
import type { EndpointStatus } from '../model/status.ts';
import type { Documents } from './documents.ts';
import type { AttachRequest, Commands, Refusal } from './writes.ts';

/** Attachments made outside the document; the store satisfies it. */
export interface AttachmentStore {
  list(): readonly Endpoint[];
  put(endpoint: Endpoint): void;
  remove(workload: string, network: string): void;
}

export type CommandsOptions = {
  readonly documents: Documents;
  readonly attachments: AttachmentStore;
  /** runs the loop until it has seen the result */
  readonly settled: () => Promise<void>;
  readonly endpoints: () => readonly EndpointStatus[];
};

/** What the control socket may ask for; Docker's plugin and other callers will come in the same way. */
export function createCommands(options: CommandsOptions): Commands {
  const { documents } = options;
  return {
    apply: (body) => documents.submit(body),
    validate: (body) => documents.validate(body),
    attach: (request) => attach(request, options),
    detach: (workload, network) => detach(workload, network, options),
  };
}

function refuse(reason: Refusal['reason'], code: ProblemCode, message: string): Refusal {
  return { ok: false, reason, problem: { path: '', code, message } satisfies Problem };
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
  const refusal = 'ok' in endpoint ? endpoint : conflict(endpoint, documents.desired, attachments.list());
  if (refusal !== undefined || 'ok' in endpoint) return refusal ?? refuse('failed', 'failed', 'not attached');
  const before = attachments.list().find((other) => other.workload === workload && other.network === name);
  attachments.put(endpoint);
  await options.settled();
  const status = options.endpoints().find((e) => e.workload === workload && e.network === name);
  if (status?.state === 'attached') return { ok: true, endpoint: status };
  // Nothing half-done stays behind: an attach that did not come about leaves no wish for it, but the one from before.
  if (before === undefined) attachments.remove(workload, name);
  else attachments.put(before);
  await options.settled();
  return refuse('failed', 'failed', status?.problem ?? `workload ${workload} could not be attached; see the log`);
}

function endpointOf(request: AttachRequest, network: Network, others: readonly Endpoint[]): Endpoint | Refusal {
  const address = request.address === undefined ? undefined : addressIn(request.address, network);
  if (request.address !== undefined && address === undefined) {
    const message = `${request.address} is no address that a workload may hold in network ${network.name}; choose another of its subnet`;
    return refuse('refused', 'address_outside_subnet', message);
  }
  if (address === undefined && network.driver === 'macvlan' && network.subnets.length > 0 && !network.range) {
    const message = `network ${network.name} stands on the plant's own subnet, where Linkspan cannot know which addresses are free; give --address, or set aside a "range" in the document`;
    return refuse('refused', 'address_required', message);
  }
  const siblings = others.filter((other) => other.workload === request.workload && other.network !== network.name);
  return {
    workload: request.workload,
    network: network.name,
    sandbox: request.sandbox,
    interface: request.interface ?? freeInterface(siblings),
    mac: request.mac ?? deriveMac(network.name, request.workload),
    addresses: address === undefined ? [] : [address],
  };
}

function freeInterface(siblings: readonly Endpoint[]): string {
  const used = new Set(siblings.map((endpoint) => endpoint.interface));
  for (let n = 0; ; n += 1) if (!used.has(`eth${n}`)) return `eth${n}`;
}

function addressIn(text: string, network: Network): IpPrefix | undefined {
  const plain = parseIp(text) ?? parseIpPrefix(text)?.address;
  const subnet = network.subnets.find((prefix) => plain !== undefined && prefix.family === familyOf(plain));
  if (plain === undefined || subnet === undefined || !isHostAddress(subnet, plain)) return undefined;
  return { ...subnet, address: plain };
}

function conflict(endpoint: Endpoint, desired: DesiredState, attachments: readonly Endpoint[]): Refusal | undefined {
  const { workload, network } = endpoint;
  if (desired.endpoints.some((other) => other.workload === workload && other.network === network)) {
    const message = `workload ${workload} is put on ${network} by the document; change it there`;
    return refuse('refused', 'duplicate_interface', message);
  }
  const others = [...desired.endpoints, ...attachments].filter((o) => o.network === network && o.workload !== workload);
  const sameMac = others.find((other) => other.mac === endpoint.mac);
  if (sameMac !== undefined) {
    return refuse(
      'refused',
      'duplicate_mac',
      `MAC ${endpoint.mac} is ${sameMac.workload}'s on ${network}; give another`,
    );
  }
  const router = desired.networks.find((candidate) => candidate.name === network)?.gateway;
  const taken = new Map(others.flatMap((other) => other.addresses.map((a) => [a.address, other.workload] as const)));
  if (router !== undefined) taken.set(router, 'the gateway');
  const clash = endpoint.addresses.find((address) => taken.has(address.address));
  if (clash === undefined) return undefined;
  const message = `address ${clash.address} is ${taken.get(clash.address) ?? ''}'s on ${network}; give another`;
  return refuse('refused', 'duplicate_address', message);
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
