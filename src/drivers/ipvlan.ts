import type { IpvlanNetwork } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import { defaultRouters, type NetworkDriver, type NetworkSpec, ON_LINK } from './driver.ts';
import { specifyOn } from './site.ts';
import { findWire } from './wire.ts';

/**
 * Workloads with the uplink's MAC on the site's wire, for where that takes no other: WiFi, and ports that allow one MAC.
 * In the l3 modes they are on no wire at all: the kernel hands their packets to the host's routing, so that whoever is
 * to answer needs a route to their subnet by way of the gateway.
 */
export const ipvlan: NetworkDriver<IpvlanNetwork> = {
  specify(network, endpoints, _remotes, host): NetworkSpec | Problem {
    const wire = findWire(network, host);
    if ('code' in wire) return wire;
    const attachment = { type: 'ipvlan', parent: wire.name, mode: network.mode } as const;
    return { ...specifyOn(wire, network, endpoints, host), attachment, gateways: routersOf(network) };
  },
};

function routersOf(network: IpvlanNetwork): readonly string[] {
  if (network.mode === 'l2') return defaultRouters(network);
  return network.internal === true ? [] : ON_LINK;
}
