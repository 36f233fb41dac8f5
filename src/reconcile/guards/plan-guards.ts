import type { GuardSpec, LoopSpec } from '../../drivers/guards.ts';
import type { GuardHooks, GuardKey } from '../../host/guard-tables.ts';
import type { Problem } from '../../model/problem.ts';
import type { Intent } from '../intend.ts';
import type { Observation } from '../observe.ts';
import type { FirewallMemory, Step } from '../plan.ts';
import { loopRules } from './loop-rules.ts';
import { portRules } from './port-rules.ts';
import { sourceRules } from './source-rules.ts';

type GuardsPlan = {
  readonly set: readonly Step[];
  /** of ports that go */
  readonly remove: readonly Step[];
  readonly waiting: ReadonlyMap<string, Problem>;
};

type Table = {
  readonly key: GuardKey;
  readonly object: string;
  readonly body: string;
  /** whose frames its chains see: with one of them they go */
  readonly devices: readonly string[];
};

/** The table of the sources that the kernel's vxlan devices take packets from. */
export const SOURCES: GuardKey = 'inet linkspan-vteps';
const PORT = 'netdev linkspan-';

/** The table of an overlay network's port; its counters are the network's. */
export function portTable(device: string): GuardKey {
  return `${PORT}${device}`;
}

/** The table that looks for loops between these two ports: of another pair it is another one. */
export function loopTable({ overlay, plant }: Pick<LoopSpec, 'overlay' | 'plant'>): GuardKey {
  return `${portTable(overlay)}/${plant}`;
}

/** The object of its rules: what fails there must not hold up the network's other steps. */
export function guardsObject(network: string): string {
  return `${network}/guards`;
}

/**
 * The rules of the overlay networks' ports, one table for each, which goes with its port; and by which sources the
 * kernel's vxlan devices take packets. Pure.
 * @param links what is done to them meanwhile: a device that is made anew has lost its rules
 */
export function planGuards(
  intent: Intent,
  seen: Observation,
  links: { readonly make: readonly Step[]; readonly remove: readonly Step[] },
  memory: FirewallMemory,
): GuardsPlan {
  const specs = [...intent.networks.values()].flatMap(({ guards }) => guards ?? []);
  const { hooks, tables, tunnel } = seen.guards;
  const wanted = hooks === 'none' ? [] : [...specs.flatMap((spec) => tablesOf(spec, hooks, tunnel)), ...sources(specs)];
  const made = new Set(links.make.flatMap((step) => (step.kind === 'link.create' ? [step.link.name] : [])));
  const changed = wanted.filter(
    ({ key, body, devices }) =>
      devices.some((device) => made.has(device)) ||
      memory[key]?.body !== body ||
      memory[key].fingerprint !== tables.get(key),
  );
  const kept = new Set([...wanted.map(({ key }) => key), ...ofStanding(seen, links.remove)]);
  const known = new Set(specs.map(({ device }) => portTable(device)));
  const unwanted = [...tables.keys()].filter((key) => !kept.has(key) && !(isLoop(key) && keeps(key, kept, known)));
  return {
    set: changed.map(applied),
    remove: unwanted.map((key) => applied({ key, object: 'host/guards', body: '' })),
    waiting: new Map(hooks === 'both' ? [] : specs.flatMap((spec) => unguarded(spec, hooks))),
  };
}

function isLoop(key: GuardKey): boolean {
  return key.includes('/');
}

/** With the table of a network that waits stays the one that looks for its loops. */
function keeps(key: GuardKey, kept: ReadonlySet<string>, known: ReadonlySet<string>): boolean {
  const [port = ''] = key.split('/');
  return kept.has(port) && !known.has(port);
}

/** A network that waits keeps its port, and with that its rules. */
function ofStanding(seen: Observation, remove: readonly Step[]): readonly GuardKey[] {
  const gone = new Set(remove.flatMap((step) => (step.kind === 'link.delete' ? [step.name] : [])));
  const links = seen.links.filter(({ name, ours }) => ours && !gone.has(name));
  const ports = links.map(({ name }) => portTable(name));
  return links.some(({ kind }) => kind === 'vxlan') ? [...ports, SOURCES] : ports;
}

function tablesOf(spec: GuardSpec, hooks: GuardHooks, tunnel: boolean): readonly Table[] {
  const { device, loop } = spec;
  const object = guardsObject(spec.object);
  const port = { key: portTable(device), object, body: portRules(spec, hooks === 'both', tunnel), devices: [device] };
  // What is cut one way only is not cut.
  if (loop === undefined || hooks !== 'both') return [port];
  return [port, { key: loopTable(loop), object, body: loopRules(loop), devices: [loop.plant, loop.overlay] }];
}

function sources(specs: readonly GuardSpec[]): readonly Table[] {
  const [first] = specs;
  const body = sourceRules(
    specs.flatMap((spec) => spec.sources ?? []),
    first?.port ?? 0,
  );
  return body === '' ? [] : [{ key: SOURCES, object: 'host/guards', body, devices: [] }];
}

function applied({ key, object, body }: Omit<Table, 'devices'>): Step {
  return { kind: 'guards.apply', object, table: key, body };
}

function unguarded({ object, loop }: GuardSpec, hooks: GuardHooks): readonly (readonly [string, Problem])[] {
  const network = object.replace('network/', '');
  const path = `/spec/networks/${network}`;
  if (hooks === 'in') {
    const unseen = `network ${network}: a loop by a second way between its sites is not found: this kernel is older than Linux 5.16; use a newer one, or stretch a VLAN by one gateway at each site and set guards.loop to off`;
    return loop === undefined ? [] : [[object, { path, code: 'guards_unavailable', message: unseen }]];
  }
  const message = `network ${network}: nothing guards it, DHCP, router advertisements and storms cross between its sites: nft does not run here, or this kernel has no nftables for netdev (CONFIG_NF_TABLES_NETDEV); install nftables or use another kernel`;
  return [[object, { path, code: 'guards_unavailable', message }]];
}
