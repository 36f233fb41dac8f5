import type { Endpoint, SiteNetwork } from '../model/network.ts';
import type { HostView, NetworkSpec } from './driver.ts';
import { shimOn } from './shim.ts';
import type { Wire } from './wire.ts';

/** What every network on a wire of the site needs: the wire's own link where it is ours, and the host's shim. */
export function specifyOn(
  wire: Wire,
  network: SiteNetwork,
  endpoints: readonly Endpoint[],
  host: HostView,
): Omit<NetworkSpec, 'attachment' | 'gateways'> {
  const shim = shimOn(network, endpoints, wire, host.gateway);
  return {
    links: [...wire.links, ...shim.links],
    mtu: Math.min(network.mtu ?? wire.mtu, wire.mtu),
    fdb: [],
    routes: shim.routes,
    nat: undefined,
    engine: undefined,
    datapath: undefined,
    shim: shim.note,
  };
}
