import type { DatapathNetwork } from '../datapath/state.ts';
import type { ObservedLink, PortFlags } from '../host/links.ts';
import type { FdbRow } from '../host/fdb.ts';
import type { HostRoute } from '../host/routes.ts';
import { formatIpPrefix, type IpPrefix } from '../model/ip.ts';
import type { Mac } from '../model/mac.ts';
import type { ProbeKeys } from '../model/guards.ts';
import type { Endpoint, IpvlanMode, MacvlanMode, Network } from '../model/network.ts';
import type { Neighbour, Remote } from '../model/peer.ts';
import type { Problem } from '../model/problem.ts';
import type { VlanProtocol } from '../model/vlan.ts';
import type { Vni } from '../model/vni.ts';
import type { Attachment } from './attachment.ts';
import type { EngineChoice, EngineHost } from './engine.ts';
import type { GuardSpec } from './guards.ts';

/** What kind of link, with everything in which two links of one kind can differ. */
export type LinkKind =
  | {
      readonly type: 'vxlan';
      readonly vni: number;
      readonly local: string;
      readonly port: number;
      readonly learning: boolean;
      /** whether the device itself joins the packets of a flow, after the underlay */
      readonly gro: boolean;
      readonly multicast: { readonly group: string; readonly device: string } | undefined;
    }
  | { readonly type: 'macvlan'; readonly parent: string; readonly mode: MacvlanMode }
  | { readonly type: 'ipvlan'; readonly parent: string; readonly mode: IpvlanMode }
  /** the frames of one VLAN of the parent, without their tag */
  | { readonly type: 'vlan'; readonly parent: string; readonly protocol: VlanProtocol; readonly id: number }
  /** the user engine's end of a network, persistent; linkspan-datapath holds it open */
  | { readonly type: 'tap' }
  /** `carrier`: a mere switch for workloads' and devices' frames, on which the host has no address */
  | { readonly type: 'bridge'; readonly mac: Mac; readonly carrier?: true };

/** A link that shall stand, up, in the host's namespace. */
export type LinkSpec = {
  readonly name: string;
  readonly alias: string;
  /** whose it is, for status and backoff: `network/line1` */
  readonly object: string;
  readonly kind: LinkKind;
  readonly mtu: number;
  readonly addresses: readonly string[];
};

/** A bridge network as the packet filter is to see it. */
export type NatSpec = {
  readonly bridge: string;
  /** those that the gateway is a router of */
  readonly subnets: readonly IpPrefix[];
  /** whether what leaves bears the gateway's own address */
  readonly masquerade: boolean;
  /** whether its workloads reach each other */
  readonly icc: boolean;
  /** whether nothing passes but to and from the gateway itself */
  readonly internal: boolean;
};

/** The bridge of an overlay that is stretched to the plant: two ports, and the workloads hang on the bridge itself. */
export type StretchSpec = {
  readonly bridge: string;
  /** the port towards the plant's devices, which has no tag; undefined while that cannot be */
  readonly plant: string | undefined;
  /** why it cannot be */
  readonly problem: Problem | undefined;
  /** the port towards the other sites: the vxlan device or the TAP */
  readonly overlay: string;
  /** longest IP packet that the overlay passes */
  readonly mtu: number;
  /** MACs of this gateway's workloads */
  readonly workloads: readonly Mac[];
  /** MACs at the other sites, by the peers' records; a workload's is sticky, a device may come here */
  readonly remote: readonly { readonly mac: Mac; readonly sticky: boolean }[];
  /** MACs of devices here that this gateway has published; what a peer says of one of those is newer */
  readonly claimed: ReadonlySet<Mac>;
};

/** What answers, by the kernel's engine, for workloads at other sites. */
export type NeighbourSpec = {
  /** the vxlan device, on whose way out it is answered */
  readonly port: string;
  /** by which the answers go to whoever asked: a macvlan child of `parent`, as the workloads are */
  readonly answerer: string;
  readonly parent: string;
  /** whose port the device is, where the network is stretched */
  readonly bridge: string | undefined;
  readonly rows: readonly Neighbour[];
};

/** All that a network needs in the host: a driver's answer, as data. */
export type NetworkSpec = {
  readonly links: readonly LinkSpec[];
  readonly attachment: Attachment;
  readonly mtu: number;
  readonly gateways: readonly string[];
  readonly fdb: readonly { readonly device: string; readonly row: FdbRow }[];
  readonly routes: readonly HostRoute[];
  /** of a stretched overlay */
  readonly stretch?: StretchSpec;
  /** of a bridge network: how its packets may pass to and from all else */
  readonly nat: NatSpec | undefined;
  /** of an overlay network of the kernel's engine */
  readonly neighbours?: NeighbourSpec;
  /** of an overlay network: what may cross between its sites */
  readonly guards?: GuardSpec;
  readonly engine: EngineChoice | undefined;
  /** what it is instead of what was asked for, and why */
  readonly instead?: string;
  /** what linkspan-datapath is told of it, where it carries the network */
  readonly datapath: DatapathNetwork | undefined;
  /** the host's own interface on the network, or why it has none */
  readonly shim: string | undefined;
};

/** Where VXLAN packets leave and arrive. */
export type Underlay = {
  readonly address: string;
  readonly device: string;
  /** the device's index */
  readonly index: number;
  readonly mtu: number;
  /** tunnelled packets of one flow come up joined (by GRO, for which the interface must check their checksums itself) */
  readonly joins: boolean;
};

/** What a driver may know of the host: the last observation. */
export type HostView = {
  readonly gateway: string;
  /** absent: peers are not asked whether VXLAN gets there */
  readonly fleet?: string;
  readonly links: readonly ObservedLink[];
  readonly underlay: Underlay | undefined;
  readonly port: number;
  readonly engines: EngineHost;
  /** MACs of devices behind the uplinks that this gateway has published, by VNI */
  readonly devices?: ReadonlyMap<Vni, readonly Mac[]>;
  /** by which this gateway knows its own loop probes */
  readonly probeKeys?: ProbeKeys | undefined;
};

/**
 * A driver makes networks of one kind. It is pure: it says what shall stand, and the planner compares that with what
 * does. A new driver is one file, one line in `registry.ts` and its words in the document's schema.
 */
export interface NetworkDriver<N extends Network> {
  /** What shall stand in the host for `network` with these endpoints and peers, or what it waits for. */
  specify(
    network: N,
    endpoints: readonly Endpoint[],
    remotes: readonly Remote[],
    host: HostView,
  ): NetworkSpec | Problem;
}

/** A workload's interface, ready to be made. `mac` is undefined where the parent's is taken (passthru, ipvlan). */
export type EndpointSpec = {
  readonly endpoint: Endpoint;
  readonly object: string;
  /** without the memo of what was set, see `withMemo` */
  readonly alias: string;
  readonly attachment: Attachment;
  readonly mac: Mac | undefined;
  /** the MAC that the wire sees: the endpoint's own, or the parent's where that is taken */
  readonly seenMac: Mac;
  readonly mtu: number;
  readonly gateways: readonly string[];
  /** its name in the host until it is moved */
  readonly temporary: string;
  /** the veth's host end, a port of the network's bridge */
  readonly hostEnd: string;
  readonly port: PortFlags | undefined;
};

/** As a router: everything is on the link, there is no router to ask (the unspecified address, as in routing tables). */
export const ON_LINK: readonly string[] = ['0.0.0.0', '::'];

/** The default routers that workloads get: none where there shall be no way out. */
export function defaultRouters({ internal, gateways }: Network): readonly string[] {
  return internal === true ? [] : gateways;
}

/** What the interface's alias remembers: its addresses, then `via` each gateway. */
export function memoOf(spec: Pick<EndpointSpec, 'endpoint' | 'gateways'>): readonly string[] {
  const addresses = spec.endpoint.addresses.map((address) => formatIpPrefix(address));
  return [...addresses, ...spec.gateways.map((gateway) => `via ${gateway}`)];
}

export function waitingFor(network: Network, message: string, code: Problem['code'] = 'waiting'): Problem {
  return { path: `/spec/networks/${network.name}`, code, message };
}
