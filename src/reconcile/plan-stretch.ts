import type { StretchSpec } from '../drivers/driver.ts';
import { wireUnder } from '../drivers/attachment.ts';
import { isSwitch } from '../drivers/naming.ts';
import { plantObject } from '../drivers/stretch.ts';
import type { BridgeEntry, BridgeRow } from '../host/bridge-fdb.ts';
import type { ObservedLink } from '../host/links.ts';
import type { Problem } from '../model/problem.ts';
import type { Intent } from './intend.ts';
import type { Observation } from './observe.ts';
import { difference } from './difference.ts';
import { loopTable } from './guards/plan-guards.ts';
import { LEARNED_MAX } from './plain-switch.ts';
import type { Step } from './plan.ts';
import { belongsToWaiting } from './plan-links.ts';

/** Kinds of workloads' interfaces that take their parent's one receive handler. */
const ON_A_PARENT = new Set(['macvlan', 'ipvlan']);

/** One end of a stretched overlay's bridge, as it shall be. */
type Port = { readonly object: string; readonly name: string; readonly bridge: string };

type StretchPlan = {
  /** from here on until they have moved, workloads are cut off */
  readonly leave: readonly Step[];
  readonly join: readonly Step[];
};

/**
 * The bridges of stretched overlays: which interfaces are their ports, and where each MAC is. Pure. A port with
 * children cannot join a bridge, and a bridge's port can have none, so what leaves leaves before the workloads move
 * onto it, and what joins waits until a look finds nobody on it.
 * @param gone links that this plan deletes
 */
export function planStretch(intent: Intent, seen: Observation, gone: ReadonlySet<string>): StretchPlan {
  const ports = portsOf(intent);
  return {
    leave: leave(ports, intent, seen, gone),
    join: [...join(ports, seen, gone), ...learning(ports, intent, seen), ...tables(intent, seen, gone)],
  };
}

/** By object: networks that stand, but are not joined to the plant. */
export function stretchProblems(intent: Intent, seen: Observation): ReadonlyMap<string, Problem> {
  return new Map(
    stretches(intent).flatMap(([object, { problem, plant }]) => {
      const why =
        problem ?? (plant !== undefined && hasChildren(plant, seen) ? held(object, plant, intent) : undefined);
      return why === undefined ? [] : [[object, why] as const];
    }),
  );
}

/** By workloads that stay there: a document with both is refused, but Docker and `attach` make networks beside it. */
function held(object: string, plant: string, { endpoints }: Intent): Problem | undefined {
  const one = endpoints.find(({ attachment }) => wireUnder(attachment) === plant)?.endpoint;
  if (one === undefined) return undefined;
  const name = object.replace('network/', '');
  const message = `network ${name}: ${plant} has workload ${one.workload} of network ${one.network} on it and can be no port of a bridge; move that to ${name}, or stretch another VLAN`;
  return { path: `/spec/networks/${name}`, code: 'parent_busy', message };
}

function stretches(intent: Intent): readonly (readonly [object: string, spec: StretchSpec])[] {
  return [...intent.networks].flatMap(([name, { stretch }]) =>
    stretch ? [[`network/${name}`, stretch] as const] : [],
  );
}

function portsOf(intent: Intent): readonly Port[] {
  return stretches(intent).flatMap(([object, { bridge, plant, overlay }]) => {
    const inner = { object, name: overlay, bridge };
    return plant === undefined ? [inner] : [inner, { object: plantObject(object), name: plant, bridge }];
  });
}

function leave(ports: readonly Port[], intent: Intent, seen: Observation, gone: ReadonlySet<string>): readonly Step[] {
  const bridges = seen.links.filter((link) => link.ours && isSwitch(link.alias) && !belongsToWaiting(link, intent));
  return bridges.flatMap((bridge) =>
    seen.links
      .filter(({ name, master }) => master === bridge.name && !gone.has(name))
      .filter(({ name }) => !ports.some((port) => port.name === name && port.bridge === bridge.name))
      .map(({ name }) => adjust(objectOf(bridge), name, null)),
  );
}

function objectOf({ alias }: ObservedLink): string {
  return `network/${alias.split('/')[1] ?? ''}`;
}

function join(ports: readonly Port[], seen: Observation, gone: ReadonlySet<string>): readonly Step[] {
  return ports
    .filter(({ name, bridge }) => !isPort(name, bridge, seen, gone) && !hasChildren(name, seen))
    .map(({ object, name, bridge }) => adjust(object, name, bridge));
}

/** One that is made anew by this plan is none yet. */
function isPort(name: string, bridge: string, seen: Observation, gone: ReadonlySet<string>): boolean {
  const have = seen.links.find((link) => link.name === name);
  return have?.master === bridge && have.up && !gone.has(name) && !gone.has(bridge);
}

function hasChildren(name: string, seen: Observation): boolean {
  const index = seen.links.find((link) => link.name === name)?.index;
  const inside = [...seen.sandboxes.values()].flatMap((sandbox) => sandbox?.links ?? []);
  return index !== undefined && inside.some((link) => link.ours && ON_A_PARENT.has(link.kind) && link.parent === index);
}

function adjust(object: string, name: string, master: string | null): Step {
  const changes = { master, ...(master !== null && { up: true as const }), addAddresses: [], removeAddresses: [] };
  return { kind: 'link.adjust', object, sandbox: undefined, name, changes };
}

/**
 * Before Linux 6.7 a bridge has no limit of its own: then its ports learn no more once it is above it, until it has
 * forgotten half of that. Its ports learn otherwise, whoever has told them not to.
 */
function learning(ports: readonly Port[], intent: Intent, seen: Observation): readonly Step[] {
  return stretches(intent).flatMap(([, { bridge }]) => {
    const learns = mayLearn(bridge, seen);
    if (learns === undefined) return [];
    const differs = seen.links.filter((link) => link.master === bridge && link.learns === !learns);
    const names = new Set(differs.map(({ name }) => name));
    return ports
      .filter((port) => port.bridge === bridge && names.has(port.name))
      .map(({ object, name }): Step => {
        const changes = { learns, addAddresses: [], removeAddresses: [] };
        return { kind: 'link.adjust', object, sandbox: undefined, name, changes };
      });
  });
}

/** Undefined: as they do now. */
function mayLearn(bridge: string, { links, bridges }: Observation): boolean | undefined {
  if (links.find(({ name }) => name === bridge)?.data.fdb_max_learned !== undefined) return true;
  const count = (bridges.get(bridge) ?? []).filter(({ origin }) => origin === 'learned').length;
  if (count > LEARNED_MAX) return false;
  return count <= LEARNED_MAX / 2 ? true : undefined;
}

const rowKey = ({ mac, port, sticky }: BridgeRow): string => `${mac} ${port} ${sticky}`;

function tables(intent: Intent, seen: Observation, gone: ReadonlySet<string>): readonly Step[] {
  return stretches(intent).flatMap(([object, spec]): readonly Step[] => {
    const { bridge } = spec;
    const entries = gone.has(bridge) ? [] : (seen.bridges.get(bridge) ?? []);
    const standing = entries.filter(({ port }) => !gone.has(port));
    const have = standing.filter((entry) => isWritten(entry, spec, seen));
    const { add, remove: written } = difference(rowsOf(spec, standing, seen, gone), have, rowKey);
    const remove = [...written, ...unreachable(spec, standing, seen)];
    return add.length + remove.length === 0 ? [] : [{ kind: 'bridge.sync', object, bridge, add, remove }];
  });
}

/** What was learned from a plant from which this gateway is cut off: those devices are reached by the other sites. */
function unreachable(
  { plant, overlay }: StretchSpec,
  standing: readonly BridgeEntry[],
  { guards }: Observation,
): readonly BridgeEntry[] {
  if (plant === undefined || !guards.cut.has(loopTable({ plant, overlay }))) return [];
  return standing.filter(({ port, origin }) => port === plant && origin === 'learned');
}

/** Not those that a bridge's ports, and the bridge itself, have by nature. */
function isWritten({ mac, port, origin }: BridgeEntry, { bridge }: StretchSpec, seen: Observation): boolean {
  if (origin === 'own') return port === bridge && seen.links.find(({ name }) => name === bridge)?.mac !== mac;
  return origin === 'told';
}

/**
 * A workload's frames come from the bridge itself, which learns nothing of them, and without an entry all that is sent
 * to it would be flooded to every site. A MAC that a peer says it has is behind the overlay, unless its frames have
 * just come in from the plant: then it has moved here, and the next publication says so. But where this gateway has
 * said so already, the peer's word is the newer one. A workload's MAC moves by no frame at all.
 */
function rowsOf(
  spec: StretchSpec,
  standing: readonly BridgeEntry[],
  seen: Observation,
  gone: ReadonlySet<string>,
): readonly BridgeRow[] {
  const { bridge, plant, overlay, workloads, remote, claimed } = spec;
  const here = new Set(standing.flatMap(({ mac, port, origin }) => (port === plant && origin !== 'told' ? [mac] : [])));
  const moved = ({ mac, sticky }: StretchSpec['remote'][number]): boolean =>
    !sticky && here.has(mac) && !claimed.has(mac);
  // The kernel takes an entry for a port only, which the overlay is now unless it has children.
  const joined = isPort(overlay, bridge, seen, gone) || !hasChildren(overlay, seen);
  // Whoever says that it has the MAC of a port here: the kernel keeps that entry with the port.
  const ours = new Set(
    seen.links.flatMap(({ name, master, mac }) => (name === bridge || master === bridge ? [mac] : [])),
  );
  const told = joined ? remote.filter((one) => !moved(one) && !ours.has(one.mac)) : [];
  return [
    ...workloads.map((mac) => ({ mac, port: bridge, sticky: false })),
    ...told.map(({ mac, sticky }) => ({ mac, port: overlay, sticky })),
  ];
}
