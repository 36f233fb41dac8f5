import type { WatchedLoop } from '../../host/loop-watch.ts';
import type { GuardKey } from '../../host/guard-tables.ts';
import { parseMac } from '../../model/mac.ts';
import type { Problem } from '../../model/problem.ts';
import { type Place, placesOn } from './on-wifi.ts';
import type { CycleView } from '../../reconcile/cycle.ts';
import { loopTable } from '../../reconcile/guards/plan-guards.ts';

/** The stretched networks whose ports stand, with what is to be sent out of each to find a loop. */
export function watchedLoops({ intent, seen }: CycleView): readonly WatchedLoop[] {
  return [...intent.networks].flatMap(([network, { guards }]): readonly WatchedLoop[] => {
    const loop = guards?.loop;
    const port = seen.links.find(({ name }) => name === loop?.plant);
    const mac = parseMac(port?.mac ?? '');
    if (loop === undefined || port === undefined || mac === undefined) return [];
    const { name, index } = port;
    return [{ network, table: loopTable(loop), port: { name, index, mac }, prober: loop.prober }];
  });
}

/**
 * By object: networks that are cut off from their VLAN, since what they send there comes back from other sites.
 * @param others gateways whose probes the VLAN hears; undefined while that is not known
 */
export function loopProblems(
  view: CycleView,
  others: (table: GuardKey) => readonly string[] | undefined,
): ReadonlyMap<string, Problem> {
  const cut = watchedLoops(view).filter(({ table }) => view.seen.guards.cut.has(table));
  return new Map(
    cut.flatMap(({ network, table, port }): (readonly [string, Problem])[] => {
      const who = others(table);
      return who === undefined ? [] : [[`network/${network}`, problemOf(network, port.name, who)]];
    }),
  );
}

/** Workloads that the plant's switches see behind another port from now on: on networks that were cut off, or joined again. */
export function turned(before: CycleView | undefined, view: CycleView): readonly Place[] {
  const changed = watchedLoops(view).filter(
    ({ table }) => (before?.seen.guards.cut.has(table) ?? false) !== view.seen.guards.cut.has(table),
  );
  return placesOn(new Set(changed.map(({ network }) => network)), view);
}

function problemOf(network: string, port: string, others: readonly string[]): Problem {
  const who =
    others.length > 0 ? `the VLAN of gateway ${others.join(', ')} is reached by` : 'another site is reached by';
  const message = `network ${network}: a loop: from ${port} ${who} a second way (a cable, another gateway on the same VLAN, another tunnel); this gateway has cut itself off from ${port}, and joins it again by itself once the second way is gone; take that away, or "stretch" at one of them only`;
  return { path: `/spec/networks/${network}/stretch`, code: 'loop', message };
}
