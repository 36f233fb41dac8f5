import { familyOf } from '../model/ip.ts';
import type { IpPrefix } from '../model/ip.ts';
import type { Mac } from '../model/mac.ts';
import type { PublishedPort } from '../model/network.ts';
import type { Vlan } from '../model/vlan.ts';
import type { RawDocument, RawEndpoint, RawNetwork, RawSandbox } from './raw.ts';

/** A value with the place in the document where it stands. */
export type Located<T> = { readonly path: string; readonly value: T };

export type ResolvedNetwork = {
  readonly name: string;
  readonly path: string;
  readonly raw: RawNetwork;
  readonly subnets: readonly Located<IpPrefix>[];
  readonly range?: Located<IpPrefix>;
  readonly gateways: readonly Located<string>[];
  /** two networks with the same segment are one layer-2 segment: the same uplink and VLAN */
  readonly segment: string;
};

/** `length` is undefined where the document gives a plain address: the subnet's length holds. */
export type WantedAddress = { readonly address: string; readonly length: number | undefined };

export type ResolvedEndpoint = {
  readonly workload: string;
  readonly network: string;
  readonly path: string;
  readonly raw: RawEndpoint;
  readonly sandbox: RawSandbox;
  readonly interface: string;
  readonly mac?: Located<Mac>;
  readonly addresses: readonly Located<WantedAddress>[];
  /** by item of the document: a range is one item and several ports */
  readonly publish: readonly Located<readonly PublishedPort[]>[];
  /** in lower case; workloads may share one, and then each is an answer */
  readonly aliases: readonly string[];
};

/** A document whose addresses are values instead of text. */
export type Resolved = {
  readonly document: RawDocument;
  readonly networks: ReadonlyMap<string, ResolvedNetwork>;
  readonly endpoints: readonly ResolvedEndpoint[];
};

/** What a document is checked against beside itself; `interfaces` is undefined where the host's are not known. */
export type CheckContext = { readonly interfaces: ReadonlySet<string> | undefined };

/** The uplink and VLAN that a network stands on or reaches, if any. */
export function placeOf(raw: RawNetwork): (Vlan & { readonly uplink: string }) | undefined {
  if (raw.driver === 'overlay') return raw.stretch;
  return raw.driver === 'bridge' ? undefined : raw;
}

/** The network's subnet of the address's family. */
export function subnetFor(network: ResolvedNetwork, address: string): IpPrefix | undefined {
  return network.subnets.find(({ value }) => value.family === familyOf(address))?.value;
}
