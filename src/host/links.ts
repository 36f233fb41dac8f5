import { addressDump, type AddressMessage, readAddress } from '../packet/rtnetlink/address.ts';
import { linkDump, type LinkMessage, readLink } from '../packet/rtnetlink/link.ts';
import type { LinkData } from '../packet/rtnetlink/link-data.ts';
import { ask } from './netlink.ts';
import type { Wireless } from './wireless.ts';

/**
 * The group number of every link that Linkspan makes. The kernel sets it in the same step that creates the link, so
 * even a link whose maker was killed a moment later is known as ours; the alias then says what it is for.
 */
export const OUR_GROUP = 19_539;

/** Switches of a bridge's port: no frames between isolated ones, or back where they came from. */
export type PortFlags = { readonly isolated: boolean; readonly hairpin: boolean };

/** The line of `ip -batch` that sets them. */
export function setPort(name: string, { isolated, hairpin }: PortFlags): string {
  return `link set dev ${name} type bridge_slave isolated ${isolated ? 'on' : 'off'} hairpin ${hairpin ? 'on' : 'off'}`;
}

/** A link as the kernel shows it. */
export type ObservedLink = {
  readonly index: number;
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  /** it takes all frames, for whomever they are */
  readonly promiscuous?: boolean;
  /** made by Linkspan, by its group number */
  readonly ours: boolean;
  readonly alias: string;
  /** `vxlan`, `macvlan`, `bridge`, `veth`, …; empty for a physical interface */
  readonly kind: string;
  /** index of the parent (macvlan) or the peer (veth), in whichever namespace that is */
  readonly parent: number | undefined;
  /** the parent or peer is in another namespace; read by those who follow a chain of links */
  readonly parentElsewhere?: true;
  readonly master: string | undefined;
  /** of a bridge's port */
  readonly port?: PortFlags | undefined;
  /** of a bridge's port: whether the bridge learns who is behind it */
  readonly learns?: boolean | undefined;
  readonly data: LinkData;
  /** of a wireless interface; read only where networks stand on uplinks */
  readonly wireless?: Wireless | undefined;
  /** whether it joins received packets (GRO); read only where it matters, of vxlan devices of ours */
  readonly gro?: boolean | undefined;
  /** `ADDRESS/LENGTH`, link-local IPv6 left out: the kernel makes those */
  readonly addresses: readonly string[];
};

/** Every link of the namespace at `path` (own namespace when undefined), with its addresses. @throws SystemCallError */
export async function readLinks(path?: string): Promise<readonly ObservedLink[]> {
  const [found = [], given = []] = await ask([linkDump(), addressDump()], { path });
  const links = found.flatMap((message) => readLink(message) ?? []);
  const addresses = given.flatMap((message) => readAddress(message) ?? []).filter(({ linkLocal }) => !linkLocal);
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const byLink = Map.groupBy(addresses, ({ index }) => index);
  return links.map((link) => observed(link, names, byLink.get(link.index) ?? []));
}

function observed(
  { group, parentElsewhere, master, ...link }: LinkMessage,
  names: ReadonlyMap<number, string>,
  addresses: readonly AddressMessage[],
): ObservedLink {
  return {
    ...link,
    ours: group === OUR_GROUP,
    ...(parentElsewhere && { parentElsewhere }),
    master: master === undefined ? undefined : names.get(master),
    addresses: addresses.map(({ prefix }) => prefix),
  };
}
