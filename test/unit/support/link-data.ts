import type { LinkKind } from '../../../src/drivers/driver.ts';
import type { ObservedLink } from '../../../src/host/links.ts';
import type { Adjustment } from '../../../src/reconcile/plan-links.ts';
import { switchWords } from '../../../src/reconcile/plain-switch.ts';
import { TAG_TYPE } from '../../../src/model/vlan.ts';
import type { LinkData } from '../../../src/packet/rtnetlink/link-data.ts';

/** What the kernel would say of a link of that kind. */
export function dataOf(kind: LinkKind, links: readonly ObservedLink[]): LinkData {
  if (kind.type === 'bridge')
    return kind.carrier === true ? switchData({ bridge: switchWords() }) : { mcast_snooping: 1 };
  if ('mode' in kind) return { mode: kind.mode };
  if (kind.type === 'vlan') return { id: kind.id, protocol: TAG_TYPE[kind.protocol] };
  if (kind.type === 'tap') return { type: 'tap', vnet_hdr: true };
  const { vni, port, local, learning, multicast } = kind;
  const device = links.find(({ name }) => name === multicast?.device)?.index;
  const group = multicast && { [multicast.group.includes(':') ? 'group6' : 'group']: multicast.group };
  const own = { id: vni, port, [local.includes(':') ? 'local6' : 'local']: local, learning };
  return { ...own, ...group, ...(device !== undefined && { device }) };
}

/** What `ip link set … type bridge` changes. */
export function switchData({ bridge = [], learned }: Pick<Adjustment, 'bridge' | 'learned'>): LinkData {
  const pairs = bridge.flatMap((name, at) => (at % 2 === 0 ? [[name, Number(bridge[at + 1])] as const] : []));
  return { ...Object.fromEntries(pairs), ...(learned !== undefined && { fdb_max_learned: learned }) };
}

/** The link as it is once that was changed of it. */
export function adjusted(before: ObservedLink, changes: Adjustment): ObservedLink {
  const { alias, mtu, mac, up, port, gro } = { ...before, ...changes };
  const kept = before.addresses.filter((address) => !changes.removeAddresses.includes(address));
  const addresses = [...kept, ...changes.addAddresses];
  const data = { ...before.data, ...tunnelData(changes), ...switchData(changes) };
  return { ...before, alias, mtu, mac, up, gro, port, data, addresses, ...membership(before, changes) };
}

function tunnelData({ vxlan = [] }: Adjustment): LinkData {
  const [, , , local, learning] = vxlan;
  if (local === undefined) return {};
  return { [local.includes(':') ? 'local6' : 'local']: local, learning: learning === 'learning' };
}

/** A port that is new to a bridge learns. */
function membership(before: ObservedLink, changes: Adjustment): Pick<ObservedLink, 'master' | 'learns'> {
  const master = changes.master === undefined ? before.master : (changes.master ?? undefined);
  if (master === undefined) return { master, learns: undefined };
  return { master, learns: changes.learns ?? (changes.master ? true : before.learns) };
}

/** The kernel takes no second one. */
export function sameVxlan(a: LinkData, b: LinkData): boolean {
  return a.id === b.id && a.port === b.port;
}

/** The kernel has room for one of each VLAN, whose frames are no longer than the parent's; MACsec counts the tag too. */
export function refuseVlan(
  kind: Extract<LinkKind, { type: 'vlan' }>,
  mtu: number,
  parent: ObservedLink,
  links: readonly ObservedLink[],
): void {
  const most = parent.mtu - (parent.kind === 'macsec' ? 4 : 0);
  if (mtu > most) throw new Error(`Invalid argument: mtu ${mtu} on ${parent.name}`);
  const data = dataOf(kind, links);
  const same = (one: ObservedLink): boolean => one.data.id === data.id && one.data.protocol === data.protocol;
  if (links.some((one) => one.kind === 'vlan' && one.parent === parent.index && same(one)))
    throw new Error(`VLAN device already exists on ${parent.name}`);
}

/** Puts names into a set, or takes them out. */
export function switchAll(names: Set<string>, devices: readonly string[], on: boolean): void {
  for (const device of devices) {
    if (on) names.add(device);
    else names.delete(device);
  }
}
