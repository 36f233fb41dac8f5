import type { Endpoint, MacvlanNetwork } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import { defaultRouters, type HostView, type NetworkDriver, type NetworkSpec, waitingFor } from './driver.ts';
import { ipvlan } from './ipvlan.ts';
import { specifyOn } from './site.ts';
import { findWire } from './wire.ts';

/** Workloads with a MAC of their own on the site's wire: macvlan children of the uplink, or of one of its VLANs. */
export const macvlan: NetworkDriver<MacvlanNetwork> = {
  specify(network, endpoints, _remotes, host): NetworkSpec | Problem {
    const wire = findWire(network, host);
    if ('code' in wire) return wire;
    if (wire.oneMac && network.mode !== 'passthru') return onWifi(network, endpoints, host);
    const attachment = { type: 'macvlan', parent: wire.name, mode: network.mode } as const;
    return { ...specifyOn(wire, network, endpoints, host), attachment, gateways: defaultRouters(network) };
  },
};

/** An access point drops what comes from another MAC than its station's, so the workloads share that. */
function onWifi(network: MacvlanNetwork, endpoints: readonly Endpoint[], host: HostView): NetworkSpec | Problem {
  const { interface: device } = network.uplink;
  if (network.dhcp === true) return leaseless(network, device);
  const { dhcp: _none, ...rest } = network;
  const spec = ipvlan.specify({ ...rest, driver: 'ipvlan', mode: 'l2' }, endpoints, [], host);
  if ('code' in spec) return spec;
  return { ...spec, instead: `ipvlan l2, since ${device} is WiFi, where only its own MAC passes` };
}

function leaseless(network: MacvlanNetwork, device: string): Problem {
  const message = `network ${network.name}: ${device} is WiFi, where workloads have its MAC, by which a DHCP server knows its clients; write addresses, or set aside a "range" instead of "address": "dhcp"`;
  return waitingFor(network, message, 'address_required');
}
