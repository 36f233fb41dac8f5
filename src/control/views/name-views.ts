import { type Endpoint, endpointKey, type Network, type Sandbox, sandboxPath } from '../../model/network.ts';
import type { RemotesByVni } from '../../model/peer.ts';
import type { Problem } from '../../model/problem.ts';
import type { SandboxNames } from '../../names/sandbox.ts';
import { indexNetwork, type NamedEndpoint, NameTable } from '../../names/table.ts';
import type { CycleView } from '../../reconcile/cycle.ts';
import { attachedLink } from '../../status/snapshot.ts';
import { namesOf } from './local-state.ts';

const LINK_LOCAL = /^fe[89ab]/;

type Attached = { readonly endpoint: Endpoint; readonly named: NamedEndpoint };

/** Each workload's namespace with the names of the networks that it is on as the kernel stands, and no others. */
export function sandboxNames(view: CycleView, remotes: RemotesByVni): readonly SandboxNames[] {
  const attached = view.desired.endpoints.flatMap((endpoint) => attachedAs(view, endpoint));
  const networks = view.desired.networks.map((network) => ({
    name: network.name,
    index: indexNetwork({
      network: network.name,
      local: attached.filter(({ endpoint }) => endpoint.network === network.name).map(({ named }) => named),
      remote: remoteOf(network, remotes),
    }),
  }));
  const bySandbox = Map.groupBy(attached, ({ endpoint }) => sandboxPath(endpoint.sandbox));
  return [...bySandbox].flatMap(([path, own]): readonly SandboxNames[] => {
    const inode = view.seen.sandboxes.get(path)?.inode;
    const on = new Set(own.map(({ endpoint }) => endpoint.network));
    const names = new NameTable(networks.filter(({ name }) => on.has(name)).map(({ index }) => index));
    const docker = own.some(({ endpoint }) => isContainer(endpoint.sandbox));
    return inode === undefined ? [] : [{ path, inode, docker, names }];
  });
}

function isContainer({ kind }: Sandbox): boolean {
  return kind === 'container' || kind === 'path';
}

function attachedAs(view: CycleView, endpoint: Endpoint): readonly Attached[] {
  const link = attachedLink(view, endpoint);
  if (link === undefined) return [];
  const wanted = endpoint.addresses.map(({ address }) => address);
  // Those that a DHCP server gave are on the interface only.
  const held = link.addresses.map((prefix) => prefix.replace(/\/.*/, '')).filter((ip) => !LINK_LOCAL.test(ip));
  return [{ endpoint, named: { names: namesOf(endpoint), addresses: wanted.length > 0 ? wanted : held } }];
}

function remoteOf(network: Network, remotes: RemotesByVni): readonly NamedEndpoint[] {
  if (network.driver !== 'overlay') return [];
  const entries = (remotes.get(network.vni) ?? []).flatMap(({ macs }) => macs);
  return entries.flatMap(({ n, ip }) => (n === undefined ? [] : [{ names: n, addresses: ip }]));
}

/** By object: the workloads that can have no resolver, by the namespaces' paths and why. */
export function nameProblems(view: CycleView, failures: ReadonlyMap<string, string>): ReadonlyMap<string, Problem> {
  return new Map(
    view.desired.endpoints.flatMap((endpoint): readonly [string, Problem][] => {
      const reason = failures.get(sandboxPath(endpoint.sandbox));
      if (reason === undefined) return [];
      const { workload, network } = endpoint;
      const message = `workload ${workload}: names of workloads do not resolve in it: ${reason}`;
      const path = `/spec/workloads/${workload}/networks/${network}`;
      return [[`endpoint/${endpointKey(endpoint)}`, { path, code: 'names_unavailable', message }]];
    }),
  );
}
