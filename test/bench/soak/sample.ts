import type { Datapath } from '../../lab/datapath.ts';
import type { Namespace } from '../../lab/namespace.ts';
import type { KernelDrops } from '../counters.ts';
import { kernelDrops } from '../counters.ts';
import type { DropReason } from '../../../src/datapath/counters.ts';

export const SITES = ['a', 'b'] as const;
export type SiteName = (typeof SITES)[number];
export type BySite<T> = Readonly<Record<SiteName, T>>;

/** One gateway and its datapath process. */
export type Site = { readonly gateway: Namespace; readonly datapath: Datapath };

export type Drops = Readonly<Record<DropReason | keyof KernelDrops, number>>;

/** What a gateway's datapath said at one moment; bytes and drops since it started. */
export type SiteSample = { readonly rss_bytes: number; readonly received_bytes: number; readonly drops: Drops };

/** Both gateways, so many seconds after the load began. */
export type Sample = { readonly at_s: number } & BySite<SiteSample>;

async function sampleSite({ gateway, datapath }: Site): Promise<SiteSample> {
  const { rss_bytes, networks, counters } = await datapath.status();
  const kernel = await kernelDrops(gateway, networks[0]?.tap ?? '');
  return { rss_bytes, received_bytes: counters.received_bytes, drops: { ...counters.drops, ...kernel } };
}

/** @param began when the load did, by `performance.now()` */
export async function sample(sites: BySite<Site>, began: number): Promise<Sample> {
  const [a, b] = await Promise.all([sampleSite(sites.a), sampleSite(sites.b)]);
  return { at_s: (performance.now() - began) / 1000, a, b };
}
