import type { Listing, MacEntry, RouteEntry, Vtep } from '../model/peer.ts';
import type { Vni } from '../model/vni.ts';
import { LEASE_S } from './lease.ts';
import { encodePage } from './page.ts';
import { type Homes, paginate } from './paging.ts';
import { digestOfBytes, encodeRecord, MAX_PAGES } from './record.ts';

/** This gateway's side of one VNI. */
export type LocalNetwork = {
  readonly vni: Vni;
  readonly mtu: number;
  readonly bum: string;
  readonly macs: readonly MacEntry[];
  readonly routes?: readonly RouteEntry[];
  /** what its port can do beside carrying frames; absent: nothing */
  readonly caps?: readonly string[];
};

/** A retained message as it was published. */
export type Issued = { readonly body: string; readonly seq: number; readonly digest: string; readonly payload: Buffer };

/** One VNI's table as it was published: the base record first, then its further pages. */
export type IssuedTable = { readonly body: string; readonly homes: Homes; readonly pages: readonly Issued[] };

export type Issuer = {
  readonly fleet: string;
  readonly gateway: string;
  readonly epoch: number;
  /** seconds since 1970 */
  readonly iat: number;
  /** the next sequence number */
  readonly next: () => number;
};

/** The table's bytes; pages that are as they were before keep their sequence numbers and bytes. */
export function issueTable(
  by: Issuer,
  network: LocalNetwork,
  vteps: readonly Vtep[],
  before?: IssuedTable,
): IssuedTable {
  const { homes, pages } = paginate(network.macs, before?.homes ?? new Map());
  const [base = [], ...further] = pages.slice(0, 1 + MAX_PAGES);
  const parts = further.map((macs, index) => issuePage(by, network.vni, index + 1, macs, before?.pages[index + 1]));
  const body = JSON.stringify([network, vteps]);
  // the base takes its number after its pages: among one gateway's documents, what lists is newer than what is listed
  return { body, homes, pages: [issueBase(by, { ...network, macs: base }, vteps, parts), ...parts] };
}

/** How many of the network's MACs are in what was issued. */
export function issuedMacs(network: LocalNetwork, { homes }: IssuedTable): number {
  return network.macs.filter(({ m }) => (homes.get(m) ?? 0) <= MAX_PAGES).length;
}

function issuePage(by: Issuer, vni: Vni, page: number, macs: readonly MacEntry[], before?: Issued): Issued {
  const body = JSON.stringify(macs);
  if (before?.body === body) return before;
  const { fleet, gateway: gw, epoch } = by;
  const seq = by.next();
  return issued(body, seq, encodePage({ v: 1, fleet, vni, gw, page, epoch, seq, macs }));
}

function issueBase(by: Issuer, network: LocalNetwork, vtep: readonly Vtep[], pages: readonly Issued[]): Issued {
  const { fleet, gateway: gw, epoch, iat } = by;
  const { vni, mtu, bum, macs, routes = [], caps = [] } = network;
  const seq = by.next();
  const parts = pages.map((page): Listing => [page.seq, page.digest]);
  const head = { v: 1, fleet, vni, gw, epoch, seq, iat, exp: iat + LEASE_S, vtep, mtu, bum, caps, macs } as const;
  const subnets = routes.length > 0 && { routes };
  return issued(
    '',
    seq,
    encodeRecord({ ...head, ...subnets, pages: parts.length, ...(parts.length > 0 && { parts }) }),
  );
}

function issued(body: string, seq: number, payload: Buffer): Issued {
  return { body, seq, payload, digest: digestOfBytes(payload) };
}
