import type { DatapathState } from '../datapath/state.ts';
import type { ChildAttachment } from '../drivers/attachment.ts';
import type { EndpointSpec, LinkSpec } from '../drivers/driver.ts';
import type { BridgeRow } from '../host/bridge-fdb.ts';
import type { FdbRow } from '../host/fdb.ts';
import type { FlowTarget } from '../host/conntrack.ts';
import type { FirewallFamily } from '../host/firewall.ts';
import type { GuardKey } from '../host/guard-tables.ts';
import type { NeighbourChange } from '../host/neighbour-tables.ts';
import type { HostRoute } from '../host/routes.ts';
import type { Problem } from '../model/problem.ts';
import { planEndpoints } from './plan-endpoints.ts';
import type { Intent } from './intend.ts';
import { difference } from './difference.ts';
import { planGuards } from './guards/plan-guards.ts';
import { planNat } from './nat/plan-nat.ts';
import type { Observation } from './observe.ts';
import { planDatapath } from './plan-datapath.ts';
import { type Adjustment, planLinks } from './plan-links.ts';
import { planNeighbours } from './plan-neighbours.ts';
import { planPort } from './plan-port.ts';
import { planStretch, stretchProblems } from './plan-stretch.ts';

/** One change of the host, as data; `object` is whose it is, for status and backoff. */
export type Step = { readonly object: string } & (
  | { readonly kind: 'endpoint.detach'; readonly sandbox: string; readonly name: string; readonly reason: string }
  | {
      readonly kind: 'link.delete';
      /** undefined: in the host */
      readonly sandbox?: string;
      readonly name: string;
      readonly reason: string;
    }
  | { readonly kind: 'link.create'; readonly link: LinkSpec }
  | { readonly kind: 'link.down'; readonly name: string; readonly reason: string }
  | {
      readonly kind: 'link.adjust';
      readonly sandbox: string | undefined;
      readonly name: string;
      readonly changes: Adjustment;
    }
  | {
      readonly kind: 'fdb.sync';
      readonly device: string;
      readonly add: readonly FdbRow[];
      readonly remove: readonly FdbRow[];
    }
  | {
      readonly kind: 'bridge.sync';
      readonly bridge: string;
      readonly add: readonly BridgeRow[];
      readonly remove: readonly BridgeRow[];
    }
  | ({ readonly kind: 'neighbours.sync' } & NeighbourChange)
  | { readonly kind: 'neighbours.clear'; readonly port: string }
  | { readonly kind: 'routes.sync'; readonly add: readonly HostRoute[]; readonly remove: readonly HostRoute[] }
  | {
      readonly kind: 'firewall.apply';
      readonly family: FirewallFamily;
      readonly body: string;
      /** published ports that lead elsewhere than before, and the gateway's own addresses */
      readonly flows: readonly FlowTarget[];
      readonly local: readonly string[];
    }
  | { readonly kind: 'guards.apply'; readonly table: GuardKey; readonly body: string }
  | {
      readonly kind: 'forwarding.set';
      readonly family: 4 | 6;
      readonly devices: readonly string[];
      readonly on: boolean;
    }
  | { readonly kind: 'localnet.set'; readonly devices: readonly string[]; readonly on: boolean }
  | {
      readonly kind: 'docker.sync';
      readonly family: 4 | 6;
      readonly add: readonly string[];
      readonly remove: readonly string[];
    }
  | { readonly kind: 'endpoint.attach'; readonly spec: EndpointSpec }
  | {
      readonly kind: 'endpoint.move';
      readonly spec: EndpointSpec;
      readonly to: ChildAttachment;
      /** the parent so far, where it is still there */
      readonly from: string | undefined;
      readonly reason: string;
    }
  | { readonly kind: 'datapath.set'; readonly state: DatapathState }
);

export type Plan = { readonly steps: readonly Step[]; readonly waiting: ReadonlyMap<string, Problem> };

/** What an earlier cycle knows and the kernel cannot tell: the listing that each table's last rules became. */
export type FirewallMemory = Readonly<
  Partial<Record<FirewallFamily | GuardKey, { readonly body: string; readonly fingerprint: string }>>
>;

/**
 * Compares what shall stand with what does. Pure. The order is the order of safety: what goes away leaves first (names
 * and parents become free), tables are filled before a workload appears behind them. Only what workloads still use
 * waits: a parent from which one is to move stays until a later look finds nobody on it, since a move that fails must
 * not cost the workload its interface. With a vxlan device stays the UDP port (`plan-port.ts`), so the datapath is told
 * after that; and TAPs go last, when the datapath has let go of them.
 */
export function plan(intent: Intent, seen: Observation, gateway: string, memory: FirewallMemory): Plan {
  const links = planLinks(intent, seen);
  const gone = new Set(links.remove.flatMap((step) => (step.kind === 'link.delete' ? [step.name] : [])));
  const endpoints = planEndpoints(intent, seen, gateway, gone);
  const port = planPort(intent, seen, links.remove, endpoints.move);
  const [taps, others] = split(port.vacant, (step) => isTap(step, intent, seen));
  const kept = links.remove.filter((step) => !port.vacant.includes(step));
  // One that is made anew under its name waits with it, and so do its entries.
  const make = links.make.filter((step) => step.kind !== 'link.create' || !deletesAny(kept, step.link.name));
  const guards = planGuards(intent, seen, { make, remove: port.vacant }, memory);
  const datapath = planDatapath(intent, seen, port.staying);
  const stretch = planStretch(intent, seen, gone);
  const neighbours = planNeighbours(intent, seen, [...links.make, ...stretch.join], gone);
  const steps = [
    ...neighbours.clear,
    ...endpoints.detach,
    ...others,
    ...datapath.release,
    ...make,
    ...guards.set,
    ...planFdb(intent, seen, gone).filter((step) => step.kind !== 'fdb.sync' || !deletesAny(kept, step.device)),
    ...stretch.join,
    ...neighbours.sync,
    ...planRoutes(intent, seen, gone),
    ...planNat(intent.nat, seen, memory),
    ...stretch.leave,
    ...port.moves,
    ...port.yield,
    ...datapath.set,
    ...endpoints.attach,
    ...taps,
    ...guards.remove,
  ];
  return {
    steps,
    waiting: new Map([
      ...guards.waiting,
      ...stretchProblems(intent, seen),
      ...intent.waiting,
      ...endpoints.waiting,
      ...port.cutOff,
    ]),
  };
}

function deletesAny(steps: readonly Step[], name: string): boolean {
  return steps.some((step) => deletes(step, name));
}

function deletes(step: Step, name: string): boolean {
  return step.kind === 'link.delete' && step.name === name;
}

/** A TAP that is no longer wanted at all; one that is made anew under its name has to go before. */
function isTap(step: Step, intent: Intent, seen: Observation): boolean {
  return (
    seen.links.some((link) => link.kind === 'tun' && deletes(step, link.name)) &&
    !intent.links.some((link) => deletes(step, link.name))
  );
}

function split<T>(items: readonly T[], test: (item: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [items.filter((item) => test(item)), items.filter((item) => !test(item))];
}

const routeKey = ({ to, device, source, neighbour }: HostRoute): string =>
  `${to} ${device} ${source} ${neighbour ?? ''}`;

const rowKey = (row: FdbRow): string => `${row.mac} ${row.ip} ${row.port ?? ''}`;

/** `gone`: links that this plan deletes; the kernel deletes their entries with them, even where they are made anew. */
function planFdb(intent: Intent, seen: Observation, gone: ReadonlySet<string>): readonly Step[] {
  const devices = intent.links.filter((link) => link.kind.type === 'vxlan');
  return devices.flatMap((link): readonly Step[] => {
    const multicast = link.kind.type === 'vxlan' && link.kind.multicast?.group;
    const want = intent.fdb.get(link.name) ?? [];
    // The kernel itself keeps the group's entry of a multicast device.
    const rows = gone.has(link.name) ? [] : (seen.fdb.get(link.name) ?? []);
    const have = rows.filter((row) => row.ip !== multicast);
    const { add, remove } = difference(want, have, rowKey);
    return add.length + remove.length === 0
      ? []
      : [{ kind: 'fdb.sync', object: link.object, device: link.name, add, remove }];
  });
}

function planRoutes(intent: Intent, seen: Observation, gone: ReadonlySet<string>): readonly Step[] {
  const have = seen.routes.filter((route) => !gone.has(route.device));
  const { add, remove } = difference(intent.routes, have, routeKey);
  return add.length + remove.length === 0 ? [] : [{ kind: 'routes.sync', object: 'host/routes', add, remove }];
}
