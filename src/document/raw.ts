import type { GuardProfile } from '../model/guards.ts';
import type { Vlan } from '../model/vlan.ts';

/** The desired document as it is written, once the JSON Schema has accepted it. Each type mirrors a `$defs` entry. */
export type RawDocument = {
  readonly v: 1;
  readonly version: number;
  readonly gateway?: string;
  readonly spec: RawSpec;
  readonly confirm?: { readonly timeout_s: number };
};

export type RawSpec = {
  readonly uplinks?: Readonly<Record<string, RawUplink>>;
  readonly networks?: Readonly<Record<string, RawNetwork>>;
  readonly workloads?: Readonly<Record<string, RawWorkload>>;
  readonly firmware?: RawFirmware;
};

export type RawFirmware = { readonly url: string; readonly version: string; readonly activate?: 'manual' | 'at_once' };

export type RawUplink = {
  readonly interface: string;
  readonly macLimit?: number;
  readonly ssid?: string;
  readonly pskFile?: string;
};

type Addressing = {
  readonly subnet?: string;
  readonly subnet6?: string;
  readonly range?: string;
  readonly gateway?: string;
  readonly gateway6?: string;
  readonly mtu?: number;
  readonly internal?: boolean;
};

type OnUplink = Addressing &
  Vlan & {
    readonly uplink: string;
    readonly shim?: boolean;
    readonly address?: 'dhcp';
  };

export type RawBridge = Addressing & {
  readonly driver: 'bridge';
  readonly icc?: boolean;
  readonly masquerade?: boolean;
};

export type RawMacvlan = OnUplink & {
  readonly driver: 'macvlan';
  readonly mode?: 'bridge' | 'vepa' | 'private' | 'passthru';
};

export type RawIpvlan = OnUplink & { readonly driver: 'ipvlan'; readonly mode?: 'l2' | 'l3' | 'l3s' };

export type RawOverlay = Addressing & {
  readonly driver: 'overlay';
  readonly vni: number;
  readonly engine?: 'auto' | 'kernel' | 'user';
  readonly stretch?: Vlan & { readonly uplink: string };
  readonly peers?: readonly string[];
  readonly bum?: 'replicate' | { readonly multicast: string };
  readonly guards?: RawGuards;
};

export type RawGuards = {
  readonly dhcp?: 'block' | 'allow';
  readonly ra?: 'block' | 'allow';
  readonly loop?: 'on' | 'off';
  readonly bumPps?: number;
  readonly profile?: GuardProfile | readonly GuardProfile[];
};

export type RawNetwork = RawBridge | RawMacvlan | RawIpvlan | RawOverlay;

export type RawSandbox = { readonly netns?: string; readonly pid?: number; readonly container?: string };

export type RawWorkload = { readonly sandbox: RawSandbox; readonly networks: Readonly<Record<string, RawEndpoint>> };

export type RawEndpoint = {
  readonly address?: string;
  readonly address6?: string;
  readonly mac?: string;
  readonly interface?: string;
  readonly aliases?: readonly string[];
  readonly publish?: readonly string[];
};
