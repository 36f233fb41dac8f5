import type { IpPrefix } from './ip.ts';
import type { Mac } from './mac.ts';
import type { Vni } from './vni.ts';

/** A physical (or other existing) interface that Linkspan builds on and never changes: the parent of macvlan. */
export type Uplink = { readonly name: string; readonly interface: string };

type Common = {
  readonly name: string;
  readonly subnets: readonly IpPrefix[];
  /** Set aside inside a subnet for addresses that Linkspan picks; undefined: the whole subnet where that is safe. */
  readonly range?: IpPrefix;
  readonly gateway?: string;
  readonly mtu?: number;
};

export type MacvlanMode = 'bridge' | 'vepa' | 'private' | 'passthru';

export type MacvlanNetwork = Common & {
  readonly driver: 'macvlan';
  readonly uplink: Uplink;
  readonly mode: MacvlanMode;
  /** Whether the host itself reaches the network's workloads (a macvlan child of the same parent in the host). */
  readonly shim: boolean;
};

export type Bum = { readonly kind: 'replicate' } | { readonly kind: 'multicast'; readonly group: string };

/** What carries an overlay's frames: Linux's vxlan device, or Linkspan's own datapath. */
export type EngineName = 'kernel' | 'user';

export type OverlayNetwork = Common & {
  readonly driver: 'overlay';
  readonly vni: Vni;
  readonly engine: 'auto' | EngineName;
  /** Foreign VTEPs, any vendor's, given by the operator. */
  readonly peers: readonly string[];
  readonly bum: Bum;
};

export type BridgeNetwork = Common & { readonly driver: 'bridge' };

export type Network = MacvlanNetwork | OverlayNetwork | BridgeNetwork;

/** Where a workload's interfaces live: a network namespace, by name or by one of its processes. */
export type Sandbox =
  | { readonly kind: 'netns'; readonly name: string }
  | { readonly kind: 'pid'; readonly pid: number };

/** A workload's interface on a network, as wanted. `addresses` is empty where Linkspan is to pick one. */
export type Endpoint = {
  readonly workload: string;
  readonly network: string;
  readonly sandbox: Sandbox;
  readonly interface: string;
  readonly mac: Mac;
  readonly addresses: readonly IpPrefix[];
};

/** Everything an operator wants of this gateway: a valid document, parsed. */
export type DesiredState = {
  readonly networks: readonly Network[];
  readonly endpoints: readonly Endpoint[];
};

export const NOTHING_DESIRED: DesiredState = { networks: [], endpoints: [] };

/** The file that names the sandbox's network namespace. */
export function sandboxPath(sandbox: Sandbox): string {
  return sandbox.kind === 'netns' ? `/run/netns/${sandbox.name}` : `/proc/${sandbox.pid}/ns/net`;
}

export function endpointKey(endpoint: Pick<Endpoint, 'workload' | 'network'>): string {
  return `${endpoint.workload}/${endpoint.network}`;
}
