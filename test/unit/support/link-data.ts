import type { LinkKind } from '../../../src/drivers/driver.ts';
import type { ObservedLink } from '../../../src/host/links.ts';
import type { LinkData } from '../../../src/packet/rtnetlink/link-data.ts';

/** What the kernel would say of a link of that kind. */
export function dataOf(kind: LinkKind, links: readonly ObservedLink[]): LinkData {
  if (kind.type === 'bridge') return {};
  if ('mode' in kind) return { mode: kind.mode };
  if (kind.type === 'vlan') return { id: kind.id, protocol: 0x8100 };
  if (kind.type === 'tap') return { type: 'tap', vnet_hdr: true };
  const { vni, port, local, learning, multicast } = kind;
  const device = links.find(({ name }) => name === multicast?.device)?.index;
  const group = multicast && { [multicast.group.includes(':') ? 'group6' : 'group']: multicast.group };
  const own = { id: vni, port, [local.includes(':') ? 'local6' : 'local']: local, learning };
  return { ...own, ...group, ...(device !== undefined && { device }) };
}

/** The kernel takes no second one. */
export function sameVxlan(a: LinkData, b: LinkData): boolean {
  return a.id === b.id && a.port === b.port;
}
