import type { OverlayNetwork } from '../model/network.ts';
import type { Problem } from '../model/problem.ts';
import { vxlanOverhead } from '../model/vni.ts';
import { defaultRouters, type NetworkDriver, type NetworkSpec, waitingFor } from './driver.ts';
import { chooseEngine } from './engine.ts';
import { kernelEngine } from './overlay-kernel.ts';
import { userEngine } from './overlay-user.ts';
import { isStretched, stretch } from './stretch.ts';

/** One layer-2 network across sites, over VXLAN, by one of two engines: the same on the wire and for the workloads. */
export const overlay: NetworkDriver<OverlayNetwork> = {
  specify(network, endpoints, remotes, host): NetworkSpec | Problem {
    const { underlay } = host;
    if (underlay === undefined) {
      const message = `network ${network.name}: this gateway has no underlay address yet; give an interface an address and a default route, or set underlay.address`;
      return waitingFor(network, message);
    }
    const engine = chooseEngine(network, host.engines);
    const room = underlay.mtu - vxlanOverhead(underlay.address);
    const mtu = Math.min(network.mtu ?? room, room);
    const spec =
      engine.name === 'kernel'
        ? kernelEngine(network, remotes, host, underlay, mtu)
        : userEngine(network, remotes, host, mtu);
    if ('code' in spec) return spec;
    const macs = endpoints.map(({ mac }) => mac);
    const standing = isStretched(network) ? stretch(network, { ...spec, mtu }, macs, remotes, host) : { ...spec, mtu };
    return {
      ...standing,
      gateways: defaultRouters(network),
      routes: [],
      nat: undefined,
      engine,
      shim: 'none: the host itself has no address in an overlay network',
    };
  },
};
