import type { Endpoint, Network } from '../model/network.ts';
import type { Remote } from '../model/peer.ts';
import type { Problem } from '../model/problem.ts';
import { bridge } from './bridge.ts';
import type { HostView, NetworkDriver, NetworkSpec } from './driver.ts';
import { ipvlan } from './ipvlan.ts';
import { macvlan } from './macvlan.ts';
import { overlay } from './overlay.ts';

const drivers: { readonly [D in Network['driver']]: NetworkDriver<Extract<Network, { driver: D }>> } = {
  bridge,
  ipvlan,
  macvlan,
  overlay,
};

/** Asks the network's own driver what shall stand. */
export function specify(
  network: Network,
  endpoints: readonly Endpoint[],
  remotes: readonly Remote[],
  host: HostView,
): NetworkSpec | Problem {
  const driver = drivers[network.driver] as NetworkDriver<Network>;
  return driver.specify(network, endpoints, remotes, host);
}
