import type { NeighbourSpec } from '../drivers/driver.ts';
import type { ObservedLink } from '../host/links.ts';
import type { Neighbour } from '../model/peer.ts';
import { difference } from './difference.ts';
import type { Intent } from './intend.ts';
import type { Observation } from './observe.ts';
import type { Step } from './plan.ts';
import { belongsToWaiting } from './plan-links.ts';

type NeighboursPlan = {
  /** before any link is touched: an answer that finds no way would keep a question from being asked */
  readonly clear: readonly Step[];
  readonly sync: readonly Step[];
};

/** Names of links that the plan makes, and that it deletes; and of the bridges that links become ports of. */
type Changes = {
  readonly made: ReadonlySet<string>;
  readonly gone: ReadonlySet<string>;
  readonly joins: ReadonlyMap<string, string>;
};

/**
 * What answers for workloads at other sites, on the kernel's engine. Pure. It stands only while the answers reach all
 * that may ask; whoever asks at any other time is heard at all sites.
 * @param before steps that make links, of which those of `gone` were deleted first, and make them ports of bridges
 */
export function planNeighbours(
  intent: Intent,
  seen: Observation,
  before: readonly Step[],
  gone: ReadonlySet<string>,
): NeighboursPlan {
  const made = new Set(before.flatMap((step) => (step.kind === 'link.create' ? [step.link.name] : [])));
  const joins = new Map(before.flatMap((step) => joining(step)));
  const wanted = [...intent.networks].flatMap(([name, { neighbours: spec }]) =>
    spec !== undefined && hangsTogether(spec, seen, { made, gone, joins }) ? [{ object: `network/${name}`, spec }] : [],
  );
  const standing = new Set(
    wanted.flatMap(({ spec: { port, answerer } }) => (made.has(port) || made.has(answerer) ? [] : [port])),
  );
  const kept = new Set([...standing, ...waitingPorts(intent, seen)]);
  const unwanted = [...seen.neighbours.keys()].filter((port) => !kept.has(port));
  return {
    clear: unwanted.map((port) => ({ kind: 'neighbours.clear', object: 'host/neighbours', port })),
    sync: wanted.flatMap(({ object, spec }) => syncOf(object, spec, seen, made)),
  };
}

function joining(step: Step): readonly (readonly [string, string])[] {
  return step.kind === 'link.adjust' && step.changes.master ? [[step.name, step.changes.master]] : [];
}

/** Whether the port is where it shall be, and the interface that the answers go by hangs where the workloads do. */
function hangsTogether(spec: NeighbourSpec, { links }: Observation, { made, gone, joins }: Changes): boolean {
  const { port, answerer, parent, bridge } = spec;
  const standing = (name: string): ObservedLink | undefined =>
    made.has(name) || gone.has(name) ? undefined : links.find((link) => link.name === name);
  const [device, own, above] = [standing(port), standing(answerer), standing(parent)];
  if (device === undefined && !made.has(port)) return false;
  if ((joins.get(port) ?? device?.master) !== bridge) return false;
  return made.has(answerer) || (own?.up === true && above !== undefined && own.parent === above.index);
}

/** A network that waits keeps what it has. */
function waitingPorts(intent: Intent, seen: Observation): readonly string[] {
  return seen.links.filter((link) => link.ours && belongsToWaiting(link, intent)).map(({ name }) => name);
}

const rowKey = ({ ip, mac }: Neighbour): string => `${ip} ${mac}`;

function syncOf(
  object: string,
  { port, answerer, rows }: NeighbourSpec,
  seen: Observation,
  made: ReadonlySet<string>,
): readonly Step[] {
  const have = seen.neighbours.get(port);
  const index = seen.links.find(({ name }) => name === answerer)?.index;
  const whole = made.has(port) || made.has(answerer) || have?.answerer !== index;
  const { add, remove } = difference(rows, whole ? [] : (have?.rows ?? []), rowKey);
  if (!whole && add.length + remove.length === 0) return [];
  return [{ kind: 'neighbours.sync', object, port, answerer, whole, add, remove }];
}
