import type { GuardSpec } from '../../drivers/guards.ts';
import type { GuardKey } from '../../host/guard-tables.ts';
import type { Problem } from '../../model/problem.ts';
import type { Intent } from '../intend.ts';
import type { Observation } from '../observe.ts';
import type { FirewallMemory, Step } from '../plan.ts';
import { portRules } from './port-rules.ts';
import { sourceRules } from './source-rules.ts';

type GuardsPlan = {
  readonly set: readonly Step[];
  /** of ports that go */
  readonly remove: readonly Step[];
  readonly waiting: ReadonlyMap<string, Problem>;
};

type Table = { readonly key: GuardKey; readonly object: string; readonly body: string };

/** The table of the sources that the kernel's vxlan devices take packets from. */
export const SOURCES: GuardKey = 'inet linkspan-vteps';
const PORT = 'netdev linkspan-';

/** The table of an overlay network's port; its counters are the network's. */
export function portTable(device: string): GuardKey {
  return `${PORT}${device}`;
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
  const { hooks, tables } = seen.guards;
  const wanted = hooks === 'none' ? [] : [...specs.map((spec) => tableOf(spec, hooks === 'both')), ...sources(specs)];
  const made = new Set(links.make.flatMap((step) => (step.kind === 'link.create' ? [portTable(step.link.name)] : [])));
  const changed = wanted.filter(
    ({ key, body }) => made.has(key) || memory[key]?.body !== body || memory[key].fingerprint !== tables.get(key),
  );
  const kept = new Set([...wanted.map(({ key }) => key), ...ofStanding(seen, links.remove)]);
  const unwanted = [...tables.keys()].filter((key) => !kept.has(key));
  return {
    set: changed.map(applied),
    remove: unwanted.map((key) => applied({ key, object: 'host/guards', body: '' })),
    waiting: new Map(hooks === 'none' ? specs.map((spec) => unguarded(spec)) : []),
  };
}

/** A network that waits keeps its port, and with that its rules. */
function ofStanding(seen: Observation, remove: readonly Step[]): readonly GuardKey[] {
  const gone = new Set(remove.flatMap((step) => (step.kind === 'link.delete' ? [step.name] : [])));
  const links = seen.links.filter(({ name, ours }) => ours && !gone.has(name));
  const ports = links.map(({ name }) => portTable(name));
  return links.some(({ kind }) => kind === 'vxlan') ? [...ports, SOURCES] : ports;
}

function tableOf(spec: GuardSpec, outgoing: boolean): Table {
  return { key: portTable(spec.device), object: guardsObject(spec.object), body: portRules(spec, outgoing) };
}

function sources(specs: readonly GuardSpec[]): readonly Table[] {
  const [first] = specs;
  const body = sourceRules(
    specs.flatMap((spec) => spec.sources ?? []),
    first?.port ?? 0,
  );
  return body === '' ? [] : [{ key: SOURCES, object: 'host/guards', body }];
}

function applied({ key, object, body }: Table): Step {
  return { kind: 'guards.apply', object, table: key, body };
}

function unguarded({ object }: GuardSpec): readonly [string, Problem] {
  const network = object.replace('network/', '');
  const message = `network ${network}: nothing guards it, DHCP, router advertisements and storms cross between its sites: nft does not run here, or this kernel has no nftables for netdev (CONFIG_NF_TABLES_NETDEV); install nftables or use another kernel`;
  return [object, { path: `/spec/networks/${network}`, code: 'guards_unavailable', message }];
}
