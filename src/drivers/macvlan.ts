import type { MacvlanNetwork } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import { defaultRouters, type NetworkDriver, type NetworkSpec } from './driver.ts';
import { shimOn } from './shim.ts';
import { findWire } from './wire.ts';

/** Workloads with a MAC of their own on the site's wire: macvlan children of the uplink, or of one of its VLANs. */
export const macvlan: NetworkDriver<MacvlanNetwork> = {
  specify(network, endpoints, _remotes, host): NetworkSpec | Problem {
    const wire = findWire(network, host);
    if ('code' in wire) return wire;
    const shim = shimOn(network, endpoints, wire, host.gateway);
    return {
      links: [...wire.links, ...shim.links],
      attachment: { type: 'macvlan', parent: wire.name, mode: network.mode },
      mtu: Math.min(network.mtu ?? wire.mtu, wire.mtu),
      gateways: defaultRouters(network),
      fdb: [],
      routes: shim.routes,
      nat: undefined,
      engine: undefined,
      datapath: undefined,
      shim: shim.note,
    };
  },
};
