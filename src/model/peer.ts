import type { Mac } from './mac.ts';
import type { Vni } from './vni.ts';

/** A tunnel endpoint: where VXLAN packets for a gateway go. */
export type Vtep = { readonly ip: string; readonly port: number };

/** The highest mobility sequence number: 32 bits (RFC 7432 section 7.7). */
export const SEQUENCE_MAX = 2 ** 32 - 1;

/** One entry of a gateway's MAC and IP table: EVPN's route type 2 (RFC 7432 section 7.2). */
export type MacEntry = {
  readonly m: Mac;
  readonly ip: readonly string[];
  /** mobility sequence number (RFC 7432 section 7.7) */
  readonly q: number;
  /** 1 for a MAC that is ours by construction and never learned elsewhere (sticky) */
  readonly s: 0 | 1;
  /** DNS names of the workload, lower case (`dnsName`); absent: none */
  readonly n?: readonly string[];
};

/** A prefix that is reached through a gateway: EVPN's route type 5 (RFC 9136). `p` is canonical, host bits cleared. */
export type RouteEntry = { readonly p: string };

/** What identifies a publication of a gateway: its sequence number and the digest of its bytes. */
export type Listing = readonly [seq: number, digest: string];

/** One gateway's membership in a VNI and its table, as published retained on `vni/<vni>/gw/<gw>`. */
export type PeerRecord = {
  readonly v: 1;
  readonly fleet: string;
  readonly vni: Vni;
  readonly gw: string;
  readonly epoch: number;
  readonly seq: number;
  /** seconds since 1970: issued, expires */
  readonly iat: number;
  readonly exp: number;
  readonly vtep: readonly Vtep[];
  readonly mtu: number;
  readonly bum: string;
  readonly caps: readonly string[];
  readonly macs: readonly MacEntry[];
  /** the VNI's own subnets, as the gateway knows them; absent: it knows none */
  readonly routes?: readonly RouteEntry[];
  /** how many further pages the table has, each on a topic of its own */
  readonly pages: number;
  /** exactly which pages 1 to `pages` are; absent where there are none */
  readonly parts?: readonly Listing[];
  /** id of the key that signed it, not published with it; absent: it came unsigned, or nobody looked */
  readonly signer?: string;
};

/** A further part of a table, as published retained on `vni/<vni>/gw/<gw>/<page>`. */
export type RecordPage = {
  readonly v: 1;
  readonly fleet: string;
  readonly vni: Vni;
  readonly gw: string;
  /** from 1 */
  readonly page: number;
  readonly epoch: number;
  readonly seq: number;
  readonly macs: readonly MacEntry[];
};

export type AliveState = 'up' | 'down' | 'leaving';

/** Birth, death and manifest of a gateway, as published retained on `gw/<gw>/alive`; a will carries state `down`. */
export type Alive = {
  readonly v: 1;
  readonly gw: string;
  readonly epoch: number;
  readonly seq: number;
  readonly state: AliveState;
  readonly vteps: readonly Vtep[];
  /** VNI (decimal text) to the sequence number and digest of the record that holds */
  readonly vnis: Readonly<Record<string, Listing>>;
  /** seconds since 1970: until then the records that it lists hold, whatever their own `exp` is; absent: theirs counts */
  readonly exp?: number;
  /** as of a record */
  readonly signer?: string;
};

/** What the datapath of one network needs to know about its peers. */
export type Remote = {
  readonly gateway: string;
  readonly vtep: Vtep;
  readonly macs: readonly MacEntry[];
  /** the VNI's subnets as that gateway knows them */
  readonly routes?: readonly RouteEntry[];
  /** its service is not on the broker: whether what it said still holds, nobody knows */
  readonly away?: true;
  /** its VTEP answers no probe any more: nothing is flooded to it */
  readonly down?: true;
  /** the MAC by which it can be asked whether VXLAN gets there; absent: it does not answer such probes */
  readonly probe?: Mac;
  /** the largest IP packet of the underlay that the way to its VTEP passes; absent: not known */
  readonly pathMtu?: number;
};

/** That an address is the interface's with this MAC, at another site. */
export type Neighbour = { readonly ip: string; readonly mac: Mac };

export type RemotesByVni = ReadonlyMap<Vni, readonly Remote[]>;
