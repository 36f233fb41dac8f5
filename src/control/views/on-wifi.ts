import { isSite } from '../../model/network.ts';
import type { CycleView } from '../../reconcile/cycle.ts';
import { attachedLink } from '../../status/snapshot.ts';

export type Place = { readonly spec: CycleView['intent']['endpoints'][number]; readonly name: string };

/** The workloads' interfaces that stand on the wire of a WiFi uplink by its MAC. */
export function onWifi(view: CycleView): readonly Place[] {
  const stations = new Set(view.seen.links.filter(({ wireless }) => wireless?.oneMac).map(({ name }) => name));
  if (stations.size === 0) return [];
  const networks = new Set(
    view.desired.networks.filter((one) => isSite(one) && stations.has(one.uplink.interface)).map(({ name }) => name),
  );
  return placesOn(networks, view);
}

/** The workloads' interfaces that stand on these networks. */
export function placesOn(networks: ReadonlySet<string>, view: CycleView): readonly Place[] {
  return view.intent.endpoints
    .filter(({ endpoint }) => networks.has(endpoint.network))
    .flatMap((spec) => {
      const link = attachedLink(view, spec.endpoint);
      return link?.up === true ? [{ spec, name: link.name }] : [];
    });
}
