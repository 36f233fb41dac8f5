import type { ObservedLink } from '../host/links.ts';
import type { SiteNetwork } from '../model/network.ts';
import { TAG_TYPE, type VlanProtocol } from '../model/vlan.ts';
import { linkName, networkAlias, uplinkAlias } from './naming.ts';

/** A VLAN's link, by the name and the alias that it has where it is made here. */
export type Layer = {
  readonly tag: { readonly protocol: VlanProtocol; readonly id: number };
  readonly name: string;
  readonly alias: string;
};

/**
 * The links between an uplink and what stands on its VLAN, from the uplink up: none, one, or that of the service
 * provider's tag and the one on it. They have prefixes of their own, since an uplink may itself be called eth0.20.
 */
export function layersOf(
  { name, vlan, outerVlan }: Pick<SiteNetwork, 'name' | 'vlan' | 'outerVlan'>,
  uplink: string,
  gateway: string,
): readonly Layer[] {
  if (vlan === undefined) return [];
  const inner = { tag: { protocol: '802.1Q', id: vlan }, alias: networkAlias(gateway, name, 'vlan') } as const;
  if (outerVlan === undefined) return [{ ...inner, name: linkName('lsv', `${uplink}.${vlan}`) }];
  const outer = { protocol: '802.1ad', id: outerVlan } as const;
  const alias = uplinkAlias(gateway, uplink, 'outer-vlan');
  return [
    { tag: outer, alias, name: linkName('lso', `${uplink}.${outerVlan}`) },
    { ...inner, name: linkName('lsq', `${uplink}.${outerVlan}.${vlan}`) },
  ];
}

/** Whether a link is that of the tag on the one below, whoever made it. */
export function isLayer(link: ObservedLink, below: ObservedLink | undefined, { tag }: Pick<Layer, 'tag'>): boolean {
  const { kind, parent, data } = link;
  const onIt = kind === 'vlan' && below !== undefined && parent === below.index;
  return onIt && data.id === tag.id && data.protocol === TAG_TYPE[tag.protocol];
}
