import type { IpPrefix } from './ip.ts';

/** An address of the plant's, with what came with it. */
export type DhcpLease = {
  readonly address: IpPrefix;
  readonly router?: string;
  readonly dns: readonly string[];
  readonly domain?: string;
  readonly mtu?: number;
  /** the server's identifier, an IPv4 address */
  readonly server: string;
  /** seconds; FOREVER_S has no end */
  readonly lease_s: number;
  /** milliseconds since 1970, when the server last said so */
  readonly obtainedAt: number;
  /** the same moment by the machine's own time, which no clock that is set changes */
  readonly obtained?: BootTime;
  /** what of the answer made no sense and was left out, in words */
  readonly ignored: readonly string[];
};

/** A moment of one run of the machine: which run, and milliseconds since its start. */
export type BootTime = { readonly boot: string; readonly ms: number };

export const FOREVER_S = 0xffff_ffff;
