import { canonicalState, type DatapathNetwork, type DatapathState } from '../datapath/state.ts';
import type { DatapathStatus } from '../datapath/status.ts';
import { datapathSilent, userTap } from '../drivers/overlay-user.ts';
import type { ObservedLink } from '../host/links.ts';
import { familyOf } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import type { Intent } from './intend.ts';
import type { Observation } from './observe.ts';
import { narrowProblem } from './narrow-path.ts';
import type { Step } from './plan.ts';
import { holders } from './plan-port.ts';

type DatapathPlan = {
  /** gives the port back, before the kernel's vxlan takes it */
  readonly release: readonly Step[];
  /** tells it what to carry, once the kernel's vxlan has left the port */
  readonly set: readonly Step[];
};

/**
 * What linkspan-datapath is to be told, whole. Pure.
 * @param staying vxlan devices of ours that this plan leaves standing: they hold the port
 */
export function planDatapath(intent: Intent, seen: Observation, staying: readonly ObservedLink[]): DatapathPlan {
  const told = toldState(seen.datapath);
  const want = wantedState(intent, told);
  if (seen.datapath === undefined || (want === undefined && told === undefined)) return { release: [], set: [] };
  if (want === undefined) {
    const ours = told !== undefined && told.networks.length > 0 && isOurs(told, seen.links);
    return { release: ours ? [step({ ...told, networks: [] })] : [], set: [] };
  }
  const done = seen.datapath.state === canonicalState(want);
  return { release: [], set: done || staying.length > 0 ? [] : [step(want)] };
}

function step(state: DatapathState): Step {
  return { kind: 'datapath.set', object: 'host/datapath', state };
}

/** What keeps the networks of the user engine from carrying frames, or all frames, by object. */
export function datapathProblems(intent: Intent, seen: Observation, socket: string): ReadonlyMap<string, Problem> {
  const problems = [...intent.networks].flatMap(([name, { datapath }]): readonly [string, Problem][] => {
    const problem = datapath && problemOf(name, datapath, seen, socket);
    return problem === undefined ? [] : [[`network/${name}`, problem]];
  });
  return new Map(problems);
}

function problemOf(name: string, datapath: DatapathNetwork, seen: Observation, socket: string): Problem | undefined {
  if (seen.datapath === undefined) return datapathSilent(name, socket);
  const trouble = troubleOf(datapath, seen.datapath, holders(seen));
  if (trouble === undefined) return narrowProblem(name, datapath, seen.datapath.paths);
  return { path: `/spec/networks/${name}`, code: 'engine_unavailable', message: `network ${name}: ${trouble}` };
}

/** The datapath's own words, where it knows the network; it tries again by itself. */
function troubleOf(
  { tap }: DatapathNetwork,
  status: DatapathStatus,
  holding: readonly ObservedLink[],
): string | undefined {
  const own = status.networks.find((network) => network.tap === tap);
  if (own !== undefined) return own.problem ?? status.underlay.problem ?? undefined;
  const [first] = holding;
  return (
    first &&
    `${first.name} still holds the UDP port, since its network waits or no workload could be moved; see their problems`
  );
}

function toldState(status: DatapathStatus | undefined): DatapathState | undefined {
  return status === undefined || status.state === null ? undefined : (JSON.parse(status.state) as DatapathState);
}

/** A network that waits keeps what it has, also in the datapath; unless the kernel needs the port. */
function wantedState(intent: Intent, told: DatapathState | undefined): DatapathState | undefined {
  if (intent.links.some((link) => link.kind.type === 'vxlan')) return undefined;
  const vtep = intent.datapath?.vtep ?? told?.vtep;
  if (vtep === undefined) return undefined;
  const networks = intent.datapath?.networks ?? [];
  const waiting = new Set([...intent.waiting.keys()].map((object) => userTap(object.slice('network/'.length))));
  const taken = ({ vni, tap }: DatapathNetwork): boolean => networks.some((n) => n.vni === vni || n.tap === tap);
  const kept = (told?.networks ?? []).filter((network) => waiting.has(network.tap) && !taken(network));
  const all = [...networks, ...kept.map((network) => withinFamily(network, familyOf(vtep.ip)))];
  return all.length === 0 ? undefined : { v: 1, vtep, networks: all };
}

/** The underlay may have changed its address family meanwhile. */
function withinFamily(network: DatapathNetwork, family: 4 | 6): DatapathNetwork {
  return { ...network, peers: network.peers.filter(({ vtep }) => familyOf(vtep.ip) === family) };
}

/** Several gateways on one host may be given one socket by mistake: what another one's TAPs carry is not ours to end. */
function isOurs(told: DatapathState, links: readonly ObservedLink[]): boolean {
  return links.some(
    ({ ours, name, addresses }) =>
      (ours && told.networks.some((network) => network.tap === name)) ||
      addresses.some((address) => address.split('/')[0] === told.vtep.ip),
  );
}
