import type { GuardSpec } from '../drivers/guards.ts';
import type { GuardCounters } from '../host/guard-tables.ts';
import { GUARD_DIRECTIONS, GUARD_REASONS, type GuardDirection, type GuardReason } from '../model/guards.ts';
import type { GuardStatus } from '../model/status.ts';
import type { CycleView } from '../reconcile/cycle.ts';
import { loopTable, portTable, SOURCES } from '../reconcile/guards/plan-guards.ts';

/** How many frames a guard has dropped. */
export type GuardDrop = {
  /** empty: VXLAN from an unknown source, which the host drops for all networks alike */
  readonly network: string;
  readonly reason: GuardReason | 'loop' | 'unknown_source';
  readonly way: GuardDirection;
  readonly frames: number;
};

/** What each guard that stands has dropped, nothing too. */
export function guardDrops(view: CycleView | undefined, counters: GuardCounters): readonly GuardDrop[] {
  const ports = [...(view?.intent.networks ?? [])].flatMap(([network, { guards }]) => {
    const held = guards && counters.get(portTable(guards.device));
    if (held === undefined) return [];
    const loop = guards?.loop && counters.get(loopTable(guards.loop));
    const all = new Map([...held, ...(loop ?? [])]);
    const reasons = [...GUARD_REASONS, ...(loop ? ['loop' as const] : [])];
    return GUARD_DIRECTIONS.flatMap((way) =>
      reasons.map((reason) => ({ network, reason, way, frames: all.get(`${reason}_${way}`) ?? 0 })),
    );
  });
  const strangers = counters.get(SOURCES)?.get('unknown_source');
  if (strangers === undefined) return ports;
  return [...ports, { network: '', reason: 'unknown_source', way: 'in', frames: strangers }];
}

/** What may cross in a network, and what was dropped; null where it has no other sites. */
export function guardStatus(view: CycleView, network: string, drops: readonly GuardDrop[]): GuardStatus | null {
  const spec = view.intent.networks.get(network)?.guards;
  if (spec === undefined) return null;
  const { profiles: profile, dhcp, ra, bumPps: bum_pps } = spec.guards;
  const own = drops.filter((drop) => drop.network === network && drop.frames > 0);
  const counts = (way: GuardDirection): GuardStatus['dropped_in'] =>
    Object.fromEntries(own.filter((drop) => drop.way === way).map(({ reason, frames }) => [reason, frames]));
  return {
    profile,
    dhcp,
    ra,
    bum_pps,
    loop: loopState(view, spec),
    dropped_in: counts('in'),
    dropped_out: counts('out'),
  };
}

function loopState({ seen }: CycleView, { guards, loop }: GuardSpec): GuardStatus['loop'] {
  return loop !== undefined && seen.guards.cut.has(loopTable(loop)) ? 'cut' : guards.loop;
}

/** By reason, those that happened: the datapath's own and the guards'. */
export function withGuards(
  drops: Readonly<Record<string, number>>,
  guards: readonly GuardDrop[],
): Readonly<Record<string, number>> {
  const sums = new Map(Object.entries(drops));
  for (const { reason, frames } of guards) if (frames > 0) sums.set(reason, (sums.get(reason) ?? 0) + frames);
  return Object.fromEntries(sums);
}
