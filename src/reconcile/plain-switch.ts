import type { ObservedLink } from '../host/links.ts';

type Data = ObservedLink['data'];

/**
 * A bridge that only carries frames. No spanning tree of its own, and STP's, LACP's and pause frames end at it; multicast
 * goes to all, since who listens is known only where some router of the network asks for it, and discovery must work
 * where none does. It knows no VLANs, and forgets a MAC after five minutes (in hundredths of a second).
 */
const PLAIN_SWITCH = {
  stp_state: 0,
  group_fwd_mask: 0,
  mcast_snooping: 0,
  vlan_filtering: 0,
  ageing_time: 30_000,
} as const;

/**
 * How many MACs it learns. Whoever sends with forged ones would fill the kernel's memory, at ten thousand a second with
 * three million entries; those that are not learned are flooded.
 */
export const LEARNED_MAX = 4096;

/** Where a new one differs; some kernels refuse what they cannot do even where it is off. */
const NEW: Data = { mcast_snooping: 1 };

/** Words of `ip link … type bridge` that make such a bridge of one like this, or of a new one. */
export function switchWords(have = NEW): readonly string[] {
  return Object.entries(PLAIN_SWITCH).flatMap(([name, value]) => {
    const now = have[name as keyof typeof PLAIN_SWITCH];
    return now === undefined || now === value ? [] : [name, String(value)];
  });
}

/** Whether the kernel has a limit there (Linux 6.7), and another one. */
export function lacksLimit({ fdb_max_learned: limit }: Data): boolean {
  return limit !== undefined && limit !== LEARNED_MAX;
}
