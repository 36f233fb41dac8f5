import type { ObservedLink } from '../host/links.ts';
import type { Problem } from '../model/problem.ts';
import { withCarriers } from './carriers.ts';
import type { Intent } from './intend.ts';
import type { Observation } from './observe.ts';
import type { Step } from './plan.ts';

type Move = Extract<Step, { kind: 'endpoint.move' }>;

type PortPlan = {
  /** of the links to be deleted, those that no workload is to move from */
  readonly vacant: readonly Step[];
  /** to where frames can flow, or will */
  readonly moves: readonly Move[];
  /** vxlan devices that give the port away, though a workload still hangs on them */
  readonly yield: readonly Step[];
  /** vxlan devices that keep the port */
  readonly staying: readonly ObservedLink[];
  /** by object: workloads whose device gave the port away */
  readonly cutOff: ReadonlyMap<string, Problem>;
};

/**
 * Who has VXLAN's UDP port while workloads move from one engine to the other. Pure. Nobody is moved before it is known
 * that the port can follow. Once as many workloads are on TAPs as are stuck, the port is the datapath's: who could not
 * be moved is cut off alone, and keeps its interface, rather than everybody else; see docs/decisions/0014. Until then,
 * those who are stuck go on as they were.
 */
export function planPort(intent: Intent, seen: Observation, remove: readonly Step[], move: readonly Move[]): PortPlan {
  const left = withCarriers(
    move.flatMap(({ from }) => from ?? []),
    seen.links,
  );
  const vacant = remove.filter((step) => step.kind !== 'link.delete' || !left.has(step.name));
  const standing = holders(seen).filter(({ name }) => !deletes(vacant, name));
  const willBeFree = standing.every(({ name }) => deletes(remove, name));
  const free = willBeFree && tapsStand(intent, seen) && seen.datapath !== undefined;
  const moved = countOnTaps(intent, seen);
  const stuck = move.filter((step) => leavesPort(step, intent, seen)).length;
  const yielding = free && moved > 0 && moved >= stuck ? standing : [];
  return {
    vacant,
    moves: free ? move : move.filter((step) => !leavesPort(step, intent, seen)),
    yield: yielding.map(({ name }) => yieldStep(name)),
    staying: standing.filter((link) => !yielding.includes(link)),
    cutOff: cutOff(intent, seen, move, yielding),
  };
}

/** Devices of ours that bind the port for the kernel, as they do while they are up. */
export function holders(seen: Observation): readonly ObservedLink[] {
  return seen.links.filter((link) => link.ours && link.kind === 'vxlan' && link.up);
}

function deletes(steps: readonly Step[], name: string): boolean {
  return steps.some((step) => step.kind === 'link.delete' && step.name === name);
}

function isWantedTap(intent: Intent, name: string): boolean {
  return intent.links.some((link) => link.kind.type === 'tap' && link.name === name);
}

/** A TAP that cannot be made would leave its network's device, and with that the port, where it is. */
function tapsStand(intent: Intent, seen: Observation): boolean {
  const names = new Set(seen.links.map((link) => link.name));
  return intent.links.every((link) => link.kind.type !== 'tap' || names.has(link.name));
}

function countOnTaps(intent: Intent, seen: Observation): number {
  const taps = new Set(seen.links.filter(({ name }) => isWantedTap(intent, name)).map(({ index }) => index));
  const inside = [...seen.sandboxes.values()].flatMap((sandbox) => sandbox?.links ?? []);
  return inside.filter((link) => link.ours && link.kind === 'macvlan' && taps.has(link.parent ?? -1)).length;
}

/** From a device that carries its frames to a TAP. */
function leavesPort({ to }: Move, intent: Intent, seen: Observation): boolean {
  return isWantedTap(intent, to.parent) && holders(seen).length > 0;
}

/** Down, the kernel's vxlan lets go of its socket, and its children keep their addresses and routes. */
function yieldStep(name: string): Step {
  const reason = 'linkspan-datapath needs its UDP port, and who hangs on it could not be moved';
  return { kind: 'link.down', object: 'host/datapath', name, reason };
}

function cutOff(
  intent: Intent,
  seen: Observation,
  moves: readonly Move[],
  yielding: readonly ObservedLink[],
): ReadonlyMap<string, Problem> {
  const isDown = (link: ObservedLink): boolean => link.kind === 'vxlan' && (!link.up || yielding.includes(link));
  const down = new Set(seen.links.filter((link) => link.ours && isDown(link)).map(({ name }) => name));
  const cut = moves.filter(({ from, to }) => down.has(from ?? '') && isWantedTap(intent, to.parent));
  return new Map(cut.map((step) => [step.object, cutOffProblem(step)]));
}

function cutOffProblem({ spec, to, from = '' }: Move): Problem {
  const { workload, network } = spec.endpoint;
  const message = `workload ${workload}: its interface could not be moved from ${from} to ${to.parent}, and ${from} is down, since the others need its UDP port for linkspan-datapath: it keeps its addresses and reaches no other site; the move is tried again by itself; mend its cause, or detach the workload and attach it anew, or set "engine" to kernel`;
  return { path: `/spec/workloads/${workload}/networks/${network}`, code: 'failed', message };
}
