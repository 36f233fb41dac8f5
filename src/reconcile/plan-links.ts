import type { LinkSpec } from '../drivers/driver.ts';
import { roleOf } from '../drivers/role.ts';
import { isAnswerer, isSwitch, splitAlias } from '../drivers/naming.ts';
import type { ObservedLink, PortFlags } from '../host/links.ts';
import { TAG_TYPE } from '../model/vlan.ts';
import type { Role } from '../host/shield.ts';
import { withCarriers } from './carriers.ts';
import type { Intent } from './intend.ts';
import type { Observation } from './observe.ts';
import { lacksLimit, LEARNED_MAX, switchWords } from './plain-switch.ts';
import type { Step } from './plan.ts';

/** What may be changed on a living link without a lost frame. */
export type Adjustment = {
  readonly alias?: string;
  readonly mtu?: number;
  readonly mac?: string;
  readonly up?: true;
  readonly gro?: boolean;
  /** what the host takes of it, see `shield` */
  readonly shield?: Role;
  /** null: of none */
  readonly master?: string | null;
  readonly port?: PortFlags;
  /** words of `ip link set … type vxlan` */
  readonly vxlan?: readonly string[];
  /** words of `ip link set … type bridge`, and how many MACs it may learn */
  readonly bridge?: readonly string[];
  readonly learned?: number;
  /** of a bridge's port */
  readonly learns?: boolean;
  readonly addAddresses: readonly string[];
  readonly removeAddresses: readonly string[];
  readonly addDefaults?: readonly string[];
};

type Vxlan = Extract<LinkSpec['kind'], { type: 'vxlan' }>;

type LinksPlan = { readonly remove: readonly Step[]; readonly make: readonly Step[] };

/** The links of the host's namespace: prune what is ours and unwanted, make what is missing, mend what drifted. */
export function planLinks(intent: Intent, seen: Observation): LinksPlan {
  const remove: Step[] = [];
  const make: Step[] = [];
  const waiting = seen.links.filter((link) => isMadeHere(link) && belongsToWaiting(link, intent));
  const kept = new Set([
    ...intent.links.map((link) => link.name),
    ...intent.endpoints.map((spec) => spec.hostEnd),
    // By name: one that Docker's call is making this moment has no alias yet.
    ...intent.pending.flatMap(({ temporary, hostEnd }) => [temporary, hostEnd]),
    // Whoever it was made for.
    ...withCarriers(
      waiting.map(({ name }) => name),
      seen.links,
    ),
  ]);
  const unwanted = seen.links.filter((link) => isMadeHere(link) && !kept.has(link.name));
  for (const link of unwanted) {
    remove.push({ kind: 'link.delete', object: objectOf(link), name: link.name, reason: 'no longer wanted' });
  }
  for (const want of intent.links) {
    const have = seen.links.find((link) => link.name === want.name);
    if (isAnswerer(want.alias) && isOnPort(want, seen.links)) continue;
    const reason = have === undefined ? undefined : incompatible(want, have, seen.links);
    if (have !== undefined && reason === undefined) {
      const changes = drift(want, have, seen.unshielded?.has(want.name) ?? false);
      if (changes)
        make.push({ kind: 'link.adjust', object: want.object, sandbox: undefined, name: want.name, changes });
      continue;
    }
    if (reason !== undefined) remove.push({ kind: 'link.delete', object: want.object, name: want.name, reason });
    make.push({ kind: 'link.create', object: want.object, link: want });
  }
  return { remove, make };
}

/** Its parent is still a bridge's port, which can have no child: a later look finds that it has left. */
function isOnPort({ kind }: LinkSpec, links: readonly ObservedLink[]): boolean {
  return kind.type === 'macvlan' && links.some(({ name, master }) => name === kind.parent && master !== undefined);
}

/** This namespace may itself be a workload's sandbox: what another gateway put into it bears our group, but no such name. */
function isMadeHere(link: ObservedLink): boolean {
  return link.ours && /^ls[voqxubsnpt]-/.test(link.name);
}

/** A network that waits (its underlay or uplink lost, say) keeps what it has: waiting is no reason to tear down. */
export function belongsToWaiting(link: ObservedLink, intent: Intent): boolean {
  const { alias } = splitAlias(link.alias);
  const [kind, first = '', second = ''] = (alias.split(':')[2] ?? '').split('/');
  return kind !== 'uplink' && intent.waiting.has(`network/${kind === 'endpoint' ? second : first}`);
}

/** The object that a link of ours was made for, read from its alias `linkspan:<gateway>:network/<name>/…`. */
function objectOf(link: ObservedLink): string {
  const [kind = 'link', name = link.name, third] = (splitAlias(link.alias).alias.split(':')[2] ?? '').split('/');
  if (kind === 'endpoint') return `endpoint/${name}/${third ?? ''}`;
  return `${kind === 'uplink' ? 'uplink' : 'network'}/${name}`;
}

/** Why a link of ours must be made anew, or undefined. Only what we set is compared. */
function incompatible(want: LinkSpec, have: ObservedLink, links: readonly ObservedLink[]): string | undefined {
  const { kind } = want;
  if (kindOf(have) !== kind.type) return `is a ${kindOf(have)} and shall be a ${kind.type}`;
  if (kind.type === 'tap') return have.data.vnet_hdr === true ? undefined : 'passes no unsegmented packets (vnet_hdr)';
  // What the host takes of it differs (`shield`), and no longer does once it was switched off.
  if (kind.type === 'bridge' && isSwitch(have.alias) !== (kind.carrier === true)) return 'is another kind of bridge';
  if (kind.type === 'vxlan') return otherVxlan(kind, have.data) ?? otherDevice(kind, have.data, links);
  if ('parent' in kind) {
    const parent = links.find((link) => link.name === kind.parent);
    if (have.parent !== parent?.index) return `hangs on another interface than ${kind.parent}`;
  }
  if (kind.type === 'vlan') return otherVlan(kind, have.data);
  if ('mode' in kind) {
    if (have.data.mode !== kind.mode) return `has mode ${String(have.data.mode)} and shall have ${kind.mode}`;
  }
  return undefined;
}

/** The kernel's module for TAPs is `tun`, which makes two kinds of link. */
function kindOf(have: ObservedLink): string {
  return have.kind === 'tun' ? String(have.data.type) : have.kind;
}

function otherVlan(kind: Extract<LinkSpec['kind'], { type: 'vlan' }>, data: ObservedLink['data']): string | undefined {
  if (data.id !== kind.id) return `has VLAN ${String(data.id)} and shall have ${kind.id}`;
  return data.protocol === TAG_TYPE[kind.protocol] ? undefined : `has another tag than that of ${kind.protocol}`;
}

function otherVxlan(kind: Vxlan, data: ObservedLink['data']): string | undefined {
  if (data.id !== kind.vni) return `has VNI ${String(data.id)} and shall have ${kind.vni}`;
  if (data.port !== kind.port) return `has port ${String(data.port)} and shall have ${kind.port}`;
  if ('local6' in data !== kind.local.includes(':')) return 'changes the address family of its underlay';
  const group = data.group ?? data.group6;
  const wanted = kind.multicast?.group;
  return group === wanted ? undefined : `has group ${String(group)} and shall have ${String(wanted)}`;
}

/** A group is joined on one interface, and the underlay's address may move to another. */
function otherDevice(kind: Vxlan, data: ObservedLink['data'], links: readonly ObservedLink[]): string | undefined {
  const wanted = kind.multicast?.device;
  const joined = links.find((link) => link.index === data.device)?.name;
  if (wanted === undefined || joined === wanted) return undefined;
  return `joins its group on ${joined ?? 'none'} and shall on ${wanted}`;
}

function drift(want: LinkSpec, have: ObservedLink, unshielded: boolean): Adjustment | undefined {
  const vxlan = want.kind.type === 'vxlan' ? vxlanDrift(want.kind, have) : [];
  const changes: Adjustment = {
    ...(have.alias === want.alias ? {} : { alias: want.alias }),
    ...(have.mtu === want.mtu ? {} : { mtu: want.mtu }),
    ...(want.kind.type !== 'bridge' || have.mac === want.kind.mac ? {} : { mac: want.kind.mac }),
    ...(have.up ? {} : { up: true as const }),
    ...(vxlan.length === 0 ? {} : { vxlan }),
    ...(want.kind.type === 'bridge' && want.kind.carrier === true ? switchDrift(have.data) : {}),
    ...(want.kind.type !== 'vxlan' || have.gro === want.kind.gro ? {} : { gro: want.kind.gro }),
    ...(unshielded ? { shield: roleOf(want.kind.type, want.alias) } : {}),
    addAddresses: want.addresses.filter((address) => !have.addresses.includes(address)),
    removeAddresses: have.addresses.filter((address) => !want.addresses.includes(address)),
  };
  return hasChanges(changes) ? changes : undefined;
}

/** `local` and `learning` can change under the workloads; the id must be named again for the kernel to accept it. */
function vxlanDrift(kind: Vxlan, have: ObservedLink): readonly string[] {
  const local = have.data.local ?? have.data.local6;
  const learning = have.data.learning === true;
  if (local === kind.local && learning === kind.learning) return [];
  return ['id', String(kind.vni), 'local', kind.local, kind.learning ? 'learning' : 'nolearning'];
}

/** Somebody has changed it. */
function switchDrift(data: ObservedLink['data']): Pick<Adjustment, 'bridge' | 'learned'> {
  const bridge = switchWords(data);
  return { ...(bridge.length > 0 && { bridge }), ...(lacksLimit(data) && { learned: LEARNED_MAX }) };
}

export function hasChanges(changes: Adjustment): boolean {
  const { addAddresses, removeAddresses, addDefaults = [], ...rest } = changes;
  return Object.keys(rest).length + addAddresses.length + removeAddresses.length + addDefaults.length > 0;
}
