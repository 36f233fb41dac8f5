import type { OverlayNetwork } from '../model/network.ts';
import type { Neighbour } from '../model/peer.ts';
import type { Problem } from '../model/problem.ts';
import { vxlanOverhead } from '../model/vni.ts';
import { wireUnder } from './attachment.ts';
import { defaultRouters, type HostView, type NetworkDriver, type NetworkSpec, waitingFor } from './driver.ts';
import { chooseEngine } from './engine.ts';
import { answererOf, neighboursOf } from './overlay-neighbours.ts';
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
    const neighbours = neighboursOf(network, endpoints, remotes, host);
    const spec =
      engine.name === 'kernel'
        ? kernelEngine(network, remotes, host, underlay, mtu)
        : userEngine(network, remotes, neighbours, host, mtu);
    if ('code' in spec) return spec;
    const macs = endpoints.map(({ mac }) => mac);
    const standing = isStretched(network) ? stretch(network, { ...spec, mtu }, macs, remotes, host) : { ...spec, mtu };
    return {
      ...standing,
      ...(engine.name === 'kernel' &&
        host.engines.answers &&
        neighbours.length > 0 &&
        answering(network, standing, neighbours, host)),
      gateways: defaultRouters(network),
      routes: [],
      nat: undefined,
      engine,
      shim: 'none: the host itself has no address in an overlay network',
    };
  },
};

type Standing = Pick<NetworkSpec, 'links' | 'attachment' | 'mtu' | 'stretch'>;

/** The kernel's engine answers for neighbours by rules of nftables on the network's port, and a sibling of the workloads. */
function answering(
  network: OverlayNetwork,
  { links, attachment, mtu, stretch: joined }: Standing,
  rows: readonly Neighbour[],
  host: HostView,
): Pick<NetworkSpec, 'links' | 'neighbours'> {
  const parent = wireUnder(attachment);
  const answerer = answererOf(network, parent, mtu, host);
  const port = joined?.overlay ?? parent;
  return {
    links: [...links, answerer],
    neighbours: { port, answerer: answerer.name, parent, bridge: joined?.bridge, rows },
  };
}
