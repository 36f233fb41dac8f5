import type { FirmwareWish } from './firmware.ts';
import type { Guards } from './guards.ts';
import type { IpPrefix } from './ip.ts';
import type { Mac } from './mac.ts';
import type { Vlan } from './vlan.ts';
import type { Vni } from './vni.ts';

/** A physical (or other existing) interface that Linkspan builds on and never changes: the parent of macvlan and ipvlan. */
export type Uplink = {
  readonly name: string;
  readonly interface: string;
  /** how many MACs the switch port that it is plugged into allows; absent: nobody has said */
  readonly macLimit?: number;
  /** the WiFi network that it is to join; absent: it is no WiFi interface, or joined by others */
  readonly wifi?: WifiNetwork;
};

/** `pskFile` holds its key; absent: it is open. */
export type WifiNetwork = { readonly ssid: string; readonly pskFile?: string };

type Common = {
  readonly name: string;
  readonly subnets: readonly IpPrefix[];
  /** Set aside inside a subnet for addresses that Linkspan picks; undefined: the whole subnet where that is safe. */
  readonly range?: IpPrefix;
  /** routers, in the order of preference; a workload takes the first of each family that is in a subnet of its own */
  readonly gateways: readonly string[];
  readonly mtu?: number;
  /** no way out: its workloads get no default route, and nothing of it is masqueraded or published */
  readonly internal?: true;
};

/** `vlan` and `outerVlan` are the VLAN of the uplink that it stands on. */
type OnUplink = Common &
  Vlan & {
    readonly uplink: Uplink;
    /** Whether the host itself reaches the network's workloads (a child of the same parent in the host). */
    readonly shim: boolean;
  };

export type MacvlanMode = 'bridge' | 'vepa' | 'private' | 'passthru';

export type MacvlanNetwork = OnUplink & {
  readonly driver: 'macvlan';
  readonly mode: MacvlanMode;
  /** the plant's DHCP server gives each workload its address, unless one is named */
  readonly dhcp?: true;
};

/** l2: workloads answer for themselves on the wire; l3, l3s: the gateway routes to them, l3s through its packet filter. */
export type IpvlanMode = 'l2' | 'l3' | 'l3s';

/** Its workloads share the uplink's MAC, so that the wire knows them by their addresses only. */
export type IpvlanNetwork = OnUplink & { readonly driver: 'ipvlan'; readonly mode: IpvlanMode };

/** A network on a wire of the site. */
export type SiteNetwork = MacvlanNetwork | IpvlanNetwork;

export type Bum = { readonly kind: 'replicate' } | { readonly kind: 'multicast'; readonly group: string };

/** What carries an overlay's frames: Linux's vxlan device, or Linkspan's own datapath. */
export type EngineName = 'kernel' | 'user';

/** What of the plant's network an overlay is joined to: a VLAN of the uplink; without `vlan`, its untagged frames. */
export type Stretch = Vlan & { readonly uplink: Uplink };

export type OverlayNetwork = Common & {
  readonly driver: 'overlay';
  readonly vni: Vni;
  readonly engine: 'auto' | EngineName;
  /** Foreign VTEPs, any vendor's, given by the operator. */
  readonly peers: readonly string[];
  readonly bum: Bum;
  readonly stretch?: Stretch;
  /** absent: `DEFAULT_GUARDS` */
  readonly guards?: Guards;
};

export type BridgeNetwork = Common & {
  readonly driver: 'bridge';
  /** whether its workloads reach each other; absent: they do */
  readonly icc?: false;
  /** whether what leaves bears the gateway's own address; absent: it does */
  readonly masquerade?: false;
};

export type Network = SiteNetwork | OverlayNetwork | BridgeNetwork;

export function isSite(network: Network): network is SiteNetwork {
  return network.driver === 'macvlan' || network.driver === 'ipvlan';
}

/**
 * Why a parent cannot carry children of both: the kernel gives it to one driver, to ipvlan in one mode, and to macvlan in
 * mode passthru whole. Undefined where it can.
 */
export function parentClash(
  one: Pick<SiteNetwork, 'driver' | 'mode'>,
  other: Pick<SiteNetwork, 'driver' | 'mode'>,
): 'driver' | 'mode' | undefined {
  if (one.driver !== other.driver) return 'driver';
  if (one.driver === 'ipvlan') return one.mode === other.mode ? undefined : 'mode';
  return one.mode === 'passthru' || other.mode === 'passthru' ? 'mode' : undefined;
}

/** Whether its workloads have MACs of their own; those of a passthru or ipvlan network have their uplink's. */
export function hasOwnMacs(network: Network): boolean {
  return network.driver !== 'ipvlan' && !(network.driver === 'macvlan' && network.mode === 'passthru');
}

/** Whether the plant's DHCP server gives its workloads their addresses. */
export function usesDhcp(network: Network): boolean {
  return network.driver === 'macvlan' && network.dhcp === true;
}

/**
 * Where a workload's interfaces live: a network namespace, by name, by one of its processes or by the container it is
 * made for; `path` is the one of a container that Docker's plugin call named (`/run/docker/netns/…`).
 */
export type Sandbox =
  | { readonly kind: 'netns'; readonly name: string }
  | { readonly kind: 'pid'; readonly pid: number }
  | { readonly kind: 'container'; readonly name: string }
  | { readonly kind: 'path'; readonly path: string };

export type Protocol = 'tcp' | 'udp' | 'sctp';

/** A port of the gateway that leads to a port of the workload. */
export type PublishedPort = {
  readonly protocol: Protocol;
  /** of the gateway, canonical; absent: all of its addresses */
  readonly hostAddress?: string;
  readonly hostPort: number;
  readonly port: number;
};

/** A workload's interface on a network, as wanted. `addresses` is empty where Linkspan is to pick one. */
export type Endpoint = {
  readonly workload: string;
  readonly network: string;
  readonly sandbox: Sandbox;
  readonly interface: string;
  readonly mac: Mac;
  readonly addresses: readonly IpPrefix[];
  /** where the addresses come from that are not named here: the plant's DHCP server, or nowhere; absent: Linkspan picks */
  readonly addressing?: 'dhcp' | 'none';
  /** the name by which the plant's DHCP server knows it; absent: the workload's */
  readonly client?: string;
  /** its own router, which comes before the network's */
  readonly router?: string;
  /** DNS names beside the workload's own */
  readonly aliases?: readonly string[];
  /** the workload's name is of Linkspan's own making, and nobody asks for it */
  readonly anonymous?: true;
  readonly publish?: readonly PublishedPort[];
};

/** Everything an operator wants of this gateway: a valid document, parsed. */
export type DesiredState = {
  /** the document's; a network that was made on the spot has one of its own */
  readonly uplinks: readonly Uplink[];
  readonly networks: readonly Network[];
  readonly endpoints: readonly Endpoint[];
  /** absent: whatever is installed */
  readonly firmware?: FirmwareWish;
};

export const NOTHING_DESIRED: DesiredState = { uplinks: [], networks: [], endpoints: [] };

/** The file that names the sandbox's network namespace. */
export function sandboxPath(sandbox: Sandbox): string {
  if (sandbox.kind === 'netns') return `/run/netns/${sandbox.name}`;
  if (sandbox.kind === 'path') return sandbox.path;
  return sandbox.kind === 'pid' ? `/proc/${sandbox.pid}/ns/net` : `container/${sandbox.name}`;
}

export function endpointKey(endpoint: Pick<Endpoint, 'workload' | 'network'>): string {
  return `${endpoint.workload}/${endpoint.network}`;
}
