import type { Counts } from './counters.ts';
import type { NarrowPath } from './paths.ts';

/** What the datapath process says of itself. */
export type DatapathStatus = {
  readonly v: 1;
  readonly version: string;
  readonly pid: number;
  readonly uptime_s: number;
  readonly rss_bytes: number;
  /** `one`: both directions in one thread; `two`: one each */
  readonly workers: 'one' | 'two';
  /** `io_uring`: a TAP's frames are read and written many in one system call; null before the threads run */
  readonly batching: 'io_uring' | 'none' | null;
  /** canonical text of the state that it was told last, by which whoever told it knows it again; null before the first */
  readonly state: string | null;
  /** the underlay's sockets: open, or why not */
  readonly underlay: { readonly ok: boolean; readonly problem: string | null; readonly gro: boolean };
  readonly networks: readonly {
    readonly vni: number;
    readonly tap: string;
    readonly ok: boolean;
    /** what the TAP passes unsegmented, e.g. `tso+uso` */
    readonly offload: string | null;
    readonly problem: string | null;
  }[];
  /** ways to VTEPs that pass less than the networks' MTU */
  readonly paths: readonly NarrowPath[];
  readonly counters: Counts;
};
