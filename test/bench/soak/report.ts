import { CONGESTION } from '../iperf.ts';
import type { Machine } from '../machine.ts';
import { thisMachine } from '../machine.ts';
import type { Spread } from '../statistics.ts';
import { spreadOf } from '../statistics.ts';
import type { BySite, Drops, Sample, SiteName } from './sample.ts';

export const EVERY_S = 10;
export const STREAMS = 4;
export const WARM_UP_MINUTES = 1;

/** What a site's last quarter may be above its first: a leak of one byte for each frame would be hundreds of MB. */
export const FLAT_MB = 2;

/** Resident memory of a site's datapath process, in MB. */
export type Memory = {
  /** after the minute to warm up */
  readonly start: number;
  /** medians of the samples since then */
  readonly first_quarter: number;
  readonly last_quarter: number;
  /** of all samples */
  readonly highest: number;
  readonly flat: boolean;
};

/** What came in at a site from the other one, in bytes of the network's frames. */
export type Received = {
  /** from sample to sample, after the minute to warm up */
  readonly gbit_s: Spread;
  /** the whole time */
  readonly gigabytes: number;
};

/** By reason, without those that did not occur. */
export type Dropped = Readonly<Partial<Drops>>;

export type SoakReport = {
  readonly benchmark: 'soak';
  readonly taken: string;
  readonly machine: Machine;
  readonly minutes: number;
  readonly streams: number;
  readonly congestion: string;
  readonly memory: BySite<Memory>;
  readonly received: BySite<Received>;
  readonly drops: BySite<Dropped>;
  /** at both sites */
  readonly flat: boolean;
  /** in some direction, from one sample to the next, nothing came through */
  readonly stalled: boolean;
  readonly samples: readonly Sample[];
};

const bySite = <T>(of: (site: SiteName) => T): BySite<T> => ({ a: of('a'), b: of('b') });

const afterWarmUp = (samples: readonly Sample[]): readonly Sample[] => samples.slice((WARM_UP_MINUTES * 60) / EVERY_S);

export function memoryOf(samples: readonly Sample[], site: SiteName): Memory {
  const megabytes = (some: readonly Sample[]): number[] => some.map((one) => one[site].rss_bytes / 1e6);
  const steady = megabytes(afterWarmUp(samples));
  const quarter = Math.ceil(steady.length / 4);
  const first = spreadOf(steady.slice(0, quarter)).median;
  const last = spreadOf(steady.slice(-quarter)).median;
  return {
    start: steady[0] ?? Number.NaN,
    first_quarter: first,
    last_quarter: last,
    highest: Math.max(...megabytes(samples)),
    flat: last - first <= FLAT_MB,
  };
}

/** Gbit/s that came in from each sample to the next. */
export function rates(samples: readonly Sample[], site: SiteName): readonly number[] {
  return samples.slice(1).map((one, index) => {
    const before = samples[index] ?? one;
    return ((one[site].received_bytes - before[site].received_bytes) * 8) / 1e9 / (one.at_s - before.at_s);
  });
}

function receivedOf(samples: readonly Sample[], site: SiteName): Received {
  const bytes = (one: Sample | undefined): number => one?.[site].received_bytes ?? 0;
  return {
    gbit_s: spreadOf(rates(afterWarmUp(samples), site)),
    gigabytes: (bytes(samples.at(-1)) - bytes(samples[0])) / 1e9,
  };
}

/** Since the first sample: what came before the sites knew each other is no matter of the load. */
export function dropsOf(samples: readonly Sample[], site: SiteName): Dropped {
  const [first, last] = [samples[0]?.[site].drops, samples.at(-1)?.[site].drops];
  if (!first || !last) return {};
  const reasons = Object.keys(last) as (keyof Drops)[];
  const counts = reasons.map((reason) => [reason, last[reason] - first[reason]] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/** What the samples come to. */
export function soakReport(minutes: number, samples: readonly Sample[]): SoakReport {
  const memory = bySite((site) => memoryOf(samples, site));
  const received = bySite((site) => receivedOf(samples, site));
  return {
    benchmark: 'soak',
    taken: new Date().toISOString(),
    machine: thisMachine(),
    minutes,
    streams: STREAMS,
    congestion: CONGESTION,
    memory,
    received,
    drops: bySite((site) => dropsOf(samples, site)),
    flat: memory.a.flat && memory.b.flat,
    stalled: [received.a, received.b].some(({ gbit_s }) => gbit_s.min === 0),
    samples,
  };
}
