import { createHash } from 'node:crypto';
import { ipFromNumber, isHostAddress, rangeOf } from '../model/ip.ts';
import type { IpPrefix } from '../model/ip.ts';

export type PickRequest = {
  /** where to pick: the network's range, or its whole subnet */
  readonly pool: IpPrefix;
  readonly subnet: IpPrefix;
  /** canonical addresses (no prefix length) that are in use, the network's gateway among them */
  readonly taken: ReadonlySet<string>;
  /** names the endpoint, e.g. `gateway/workload/network` */
  readonly key: string;
};

/** An IPv6 subnet's interface identifier has 64 bits (RFC 4291 section 2.5.1); more of a pool is never needed. */
const SPAN_MAX = 1n << 64n;

/**
 * A free address of the pool with the subnet's prefix length, or undefined where none is left.
 *
 * The search starts at a hash of the key, so that gateways which pick from one overlay subnet without asking each
 * other rarely meet, and so that a workload gets its old address back when that is free.
 */
export function pickAddress(request: PickRequest): IpPrefix | undefined {
  const { pool, subnet, taken } = request;
  if (pool.family !== subnet.family) return undefined;
  const { first, span } = spanOf(pool);
  const start = createHash('sha256').update(request.key).digest().readBigUInt64BE() % span;
  // Only taken addresses and the two that no host may hold are ever skipped, so one of this many is free if any is.
  const probes = smaller(span, BigInt(taken.size) + 3n);
  for (let probe = 0n; probe < probes; probe += 1n) {
    const address = ipFromNumber(first + ((start + probe) % span), pool.family);
    if (!taken.has(address) && isHostAddress(subnet, address)) {
      return { family: subnet.family, address, length: subnet.length };
    }
  }
  return undefined;
}

function spanOf(pool: IpPrefix): { first: bigint; span: bigint } {
  const { first, last } = rangeOf(pool);
  return { first, span: smaller(last - first + 1n, SPAN_MAX) };
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
