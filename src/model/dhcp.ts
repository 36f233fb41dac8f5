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
  /** what of the answer made no sense and was left out, in words */
  readonly ignored: readonly string[];
};

export const FOREVER_S = 0xffff_ffff;
