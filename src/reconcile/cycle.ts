import type { DockerWishes } from '../model/docker.ts';
import type { ProbeKeys } from '../model/guards.ts';
import { type Endpoint, endpointKey, isSite, type Network, sandboxPath } from '../model/network.ts';
import type { DesiredState, OverlayNetwork } from '../model/network.ts';
import type { RemotesByVni } from '../model/peer.ts';
import type { Mac } from '../model/mac.ts';
import type { Problem } from '../model/problem.ts';
import type { Vni } from '../model/vni.ts';
import type { Lease, PlantLeases } from './effective.ts';
import { effective } from './effective.ts';
import { type HostFacts, type Intent, intend } from './intend.ts';
import { observe, type Observation } from './observe.ts';
import { type FirewallMemory, plan, type Step } from './plan.ts';
import { datapathProblems } from './plan-datapath.ts';

/** Everything a cycle starts from; asked for anew at each look, so that a cycle never works on stale wishes. */
export type CycleInput = {
  readonly gateway: string;
  readonly fleet: string;
  /** VTEP address, or empty for the default route's source; and its UDP port */
  readonly underlay: { readonly address: string; readonly port: number };
  /** TCP port of the embedded broker, where there is one */
  readonly brokerPort: number | undefined;
  /** engine of networks that say auto, and the socket of linkspan-datapath (empty: there is none) */
  readonly datapath: { readonly engine: OverlayNetwork['engine']; readonly socket: string };
  readonly document: DesiredState;
  /** the document's endpoints, those of containers with the sandbox that is theirs now */
  readonly endpoints: readonly Endpoint[];
  /** the document is empty only because it was lost: what runs is kept until the next one comes */
  readonly lost: boolean;
  readonly attachments: readonly Endpoint[];
  /** networks and endpoints that Docker's calls made, beside the document's; they are made while a cycle runs, too */
  readonly docker: () => DockerWishes;
  readonly leases: LeaseStore;
  readonly plantLeases: PlantLeases;
  readonly remotes: RemotesByVni;
  /** MACs of devices behind the uplinks that this gateway has published, by VNI */
  readonly devices: ReadonlyMap<Vni, readonly Mac[]>;
  /** by which this gateway knows its own loop probes */
  readonly probeKeys: ProbeKeys | undefined;
  /** namespaces that may hold interfaces of ours beside the desired ones */
  readonly otherSandboxes: Iterable<string>;
};

/** Where picked addresses are kept; the store satisfies it. */
export interface LeaseStore {
  list(): readonly Lease[];
  put(lease: Lease): void;
  /** none is no error */
  remove(lease: Lease): void;
}

/** One look at the world: what is wanted, what is there, and the way from the one to the other. */
export type CycleView = {
  /** the document that this view was worked out from */
  readonly document: DesiredState;
  /** nothing was left to do but what failed or waits */
  readonly complete: boolean;
  readonly desired: DesiredState;
  readonly intent: Intent;
  readonly seen: Observation;
  readonly steps: readonly Step[];
  /** by object: what it waits for, or why it failed */
  readonly problems: ReadonlyMap<string, Problem>;
};

const LOST: readonly [string, Problem] = [
  'document',
  {
    path: '',
    code: 'document_lost',
    message: 'the stored document was lost; what runs is kept as it is until a document is applied',
  },
];

/** Observes, works out what shall stand, and plans. Touches nothing but the leases of addresses picked now. */
export async function look(input: CycleInput, memory: FirewallMemory): Promise<CycleView> {
  const { leases, gateway } = input;
  const docker = input.docker();
  const { uplinks } = input.document;
  const document = { uplinks, networks: [...input.document.networks, ...docker.networks], endpoints: input.endpoints };
  const attachments = [...input.attachments, ...docker.endpoints];
  const taken = new Map(document.networks.map((network) => [network.name, remoteAddresses(network, input.remotes)]));
  const wanted = effective(document, attachments, leases.list(), taken, gateway, input.plantLeases);
  for (const lease of wanted.staleLeases) leases.remove(lease);
  for (const lease of wanted.newLeases) leases.put(lease);
  const sandboxes = [...wanted.desired.endpoints, ...docker.handed].map((endpoint) => sandboxPath(endpoint.sandbox));
  const paths = new Set([...sandboxes, ...input.otherSandboxes]);
  const seen = await observe({
    underlayAddress: input.underlay.address,
    sandboxPaths: paths,
    datapathSocket: input.datapath.socket,
    overlays: wanted.desired.networks.some((network) => network.driver === 'overlay'),
    uplinks: wanted.desired.networks.some((network) => isSite(network) || isStretched(network)),
    bridges: wanted.desired.networks.some((network) => network.driver === 'bridge' || isStretched(network)),
    ports: portsOf(wanted.desired.endpoints),
  });
  const facts = factsOf(input, seen);
  const now = input.docker();
  const desired = without(wanted.desired, leftSince(docker, now));
  const intent = intend(desired, input.remotes, facts, seen, onTheirWay(docker, now));
  const planned = plan(intent, seen, gateway, memory);
  const silent = datapathProblems(intent, seen, input.datapath.socket);
  const problems = new Map([...wanted.problems, ...planned.waiting, ...silent, ...(input.lost ? [LOST] : [])]);
  const steps = input.lost ? [] : planned.steps;
  return { document: input.document, complete: false, desired, intent, seen, steps, problems };
}

/**
 * Endpoints whose links are not this cycle's to touch. Docker's calls write first and make the link then, so whatever
 * the look at the kernel has found is written by now, though it may not have been when the cycle began.
 */
function onTheirWay(before: DockerWishes, now: DockerWishes): readonly Endpoint[] {
  const known = new Set(before.endpoints.map((endpoint) => endpointKey(endpoint)));
  const come = now.endpoints.filter((endpoint) => !known.has(endpointKey(endpoint)));
  return [...before.handed, ...now.handed, ...come, ...leftSince(before, now)];
}

/** Endpoints that Docker has taken away while the kernel was looked at: missing there, they must not be made again. */
function leftSince(before: DockerWishes, now: DockerWishes): readonly Endpoint[] {
  const stay = new Set(now.endpoints.map((endpoint) => endpointKey(endpoint)));
  return before.endpoints.filter((endpoint) => !stay.has(endpointKey(endpoint)));
}

function without(desired: DesiredState, left: readonly Endpoint[]): DesiredState {
  const gone = new Set(left.map((endpoint) => endpointKey(endpoint)));
  return { ...desired, endpoints: desired.endpoints.filter((endpoint) => !gone.has(endpointKey(endpoint))) };
}

function isStretched(network: Network): boolean {
  return network.driver === 'overlay' && network.stretch !== undefined;
}

function portsOf(endpoints: readonly Endpoint[]): ReadonlySet<string> {
  const ports = endpoints.flatMap(({ publish = [] }) => publish);
  return new Set(ports.map(({ protocol, hostPort }) => `${protocol} ${hostPort}`));
}

function factsOf(input: CycleInput, seen: Observation): HostFacts {
  const { gateway, fleet, underlay, datapath, brokerPort, devices, probeKeys } = input;
  const engines = {
    vxlan: seen.vxlan,
    answers: seen.answers,
    preferred: datapath.engine,
    datapath: { socket: datapath.socket, running: seen.datapath !== undefined },
  };
  const { links, underlay: way } = seen;
  return { gateway, fleet, links, underlay: way, port: underlay.port, brokerPort, engines, devices, probeKeys };
}

/** Addresses in use at other sites. */
export function remoteAddresses(network: Network, remotes: RemotesByVni): ReadonlySet<string> {
  if (network.driver !== 'overlay') return new Set();
  const macs = (remotes.get(network.vni) ?? []).flatMap((remote) => remote.macs);
  return new Set(macs.flatMap((entry) => entry.ip));
}
