import { inNamespace, run } from './run.ts';

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

/** A link as the kernel shows it (`ip -d -j address`). */
export type ObservedLink = {
  readonly index: number;
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
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
  readonly data: Readonly<Record<string, unknown>>;
  /** whether it joins received packets (GRO); read only where it matters, of vxlan devices of ours */
  readonly gro?: boolean | undefined;
  /** `ADDRESS/LENGTH`, link-local IPv6 left out: the kernel makes those */
  readonly addresses: readonly string[];
};

type RawAddress = { family?: string; local?: string; prefixlen?: number; scope?: string };
type RawLink = {
  ifindex: number;
  ifname: string;
  address?: string;
  mtu: number;
  flags?: string[];
  group?: string;
  ifalias?: string;
  /** the parent's or peer's name where it is in the same namespace, its index where it is in another */
  link?: string;
  link_index?: number;
  link_netnsid?: number;
  master?: string;
  linkinfo?: {
    info_kind?: string;
    info_data?: Record<string, unknown>;
    info_slave_kind?: string;
    info_slave_data?: Record<string, unknown>;
  };
  addr_info?: RawAddress[];
};

function observed(raw: RawLink, indexes: ReadonlyMap<string, number>): ObservedLink {
  return {
    index: raw.ifindex,
    name: raw.ifname,
    mac: raw.address ?? '',
    mtu: raw.mtu,
    up: raw.flags?.includes('UP') ?? false,
    ours: raw.group === String(OUR_GROUP),
    alias: raw.ifalias ?? '',
    kind: raw.linkinfo?.info_kind ?? '',
    parent: raw.link_index ?? indexes.get(raw.link ?? ''),
    ...(raw.link_netnsid !== undefined && { parentElsewhere: true as const }),
    master: raw.master,
    port: portFlags(raw),
    data: raw.linkinfo?.info_data ?? {},
    addresses: (raw.addr_info ?? [])
      .filter((address) => !(address.family === 'inet6' && address.scope === 'link'))
      .map((address) => `${address.local ?? ''}/${address.prefixlen ?? 0}`),
  };
}

function portFlags({ linkinfo }: RawLink): PortFlags | undefined {
  if (linkinfo?.info_slave_kind !== 'bridge') return undefined;
  const { isolated, hairpin } = linkinfo.info_slave_data ?? {};
  return { isolated: isolated === true, hairpin: hairpin === true };
}

/** Every link of the namespace at `path` (own namespace when undefined), with its addresses. */
export async function readLinks(path?: string): Promise<readonly ObservedLink[]> {
  const text = await run(inNamespace(path, ['ip', '-d', '-j', 'address', 'show']));
  const links = (JSON.parse(text) as Partial<RawLink>[]).filter(
    (raw): raw is RawLink => raw.ifindex !== undefined && raw.ifname !== undefined && raw.mtu !== undefined,
  );
  const indexes = new Map(links.map((raw) => [raw.ifname, raw.ifindex]));
  return links.map((raw) => observed(raw, indexes));
}
