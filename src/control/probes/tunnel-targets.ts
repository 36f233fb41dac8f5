import type { Mac } from '../../model/mac.ts';
import type { RemotesByVni } from '../../model/peer.ts';
import type { Vni } from '../../model/vni.ts';
import type { CycleView } from '../../reconcile/cycle.ts';
import { answersProbes } from '../views/local-state.ts';
import type { TunnelTarget } from './tunnel-echoes.ts';

/** By which the port's rules hand answers to the service. */
const LISTENER = 'lo';

/**
 * Where each of these VTEPs can be asked through VXLAN: in the lowest VNI in which its gateway and this one both answer,
 * and whose port here carries frames.
 */
export function tunnelTargets(
  view: CycleView,
  remotes: RemotesByVni,
  ips: ReadonlySet<string>,
): ReadonlyMap<string, TunnelTarget> {
  const targets = new Map<string, TunnelTarget>();
  if (!view.seen.links.some(({ name, up }) => name === LISTENER && up)) return targets;
  const taken = new Set([...remotes.values()].flat().flatMap(({ away, vtep }) => (away ? [] : vtep.ip)));
  for (const { vni, port, from, peers } of ports(view)) {
    for (const { vtep, probe: to, away } of remotes.get(vni) ?? []) {
      if (to === undefined || !peers.has(to) || !ips.has(vtep.ip) || targets.has(vtep.ip)) continue;
      // One that is gone may have left its address to another gateway, which does not answer for it.
      if (!away || !taken.has(vtep.ip)) targets.set(vtep.ip, { port, from, to });
    }
  }
  return targets;
}

type Port = Pick<TunnelTarget, 'port' | 'from'> & {
  readonly vni: Vni;
  /** those whom the last cycle knew: to others there is no way yet but all ways */
  readonly peers: ReadonlySet<Mac>;
};

function ports(view: CycleView): readonly Port[] {
  const found = view.desired.networks.flatMap((network): readonly Port[] => {
    if (network.driver !== 'overlay' || !answersProbes(view, network.name)) return [];
    const { device = '', tunnel } = view.intent.networks.get(network.name)?.guards ?? {};
    const link = view.seen.links.find(({ name, up }) => name === device && up);
    // What is not carried for a reason of this gateway's own says nothing of the way.
    const isCarried = view.problems.get(`network/${network.name}`)?.code !== 'engine_unavailable';
    return link && tunnel && isCarried
      ? [{ vni: network.vni, port: link.index, from: tunnel.own, peers: new Set(tunnel.peers) }]
      : [];
  });
  return found.toSorted((a, b) => a.vni - b.vni);
}
