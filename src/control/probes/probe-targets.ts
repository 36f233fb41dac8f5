import { familyOf } from '../../model/ip.ts';
import type { RemotesByVni } from '../../model/peer.ts';
import type { CycleView } from '../../reconcile/cycle.ts';
import type { ProbeFrom } from './peer-probes.ts';

type Targets = { readonly from: ProbeFrom | undefined; readonly ips: ReadonlySet<string> };

/**
 * The VTEPs of gateways in VNIs of ours, as far as frames go there: of the underlay's address family, and none of this
 * host's own. A static VTEP is not probed: nothing would follow from its silence.
 */
export function probeTargets({ seen }: Pick<CycleView, 'seen'>, remotes: RemotesByVni): Targets {
  const from = seen.underlay;
  if (from === undefined) return { from, ips: new Set() };
  const own = hostAddresses({ seen }).add(from.address);
  const all = [...remotes.values()].flatMap((list) => list.map(({ vtep }) => vtep.ip));
  return { from, ips: new Set(all.filter((ip) => familyOf(ip) === familyOf(from.address) && !own.has(ip))) };
}

/** Of all its interfaces, but for link-local ones. */
export function hostAddresses({ seen }: Pick<CycleView, 'seen'>): Set<string> {
  return new Set(seen.links.flatMap(({ addresses }) => addresses.map((one) => one.split('/')[0] ?? '')));
}
