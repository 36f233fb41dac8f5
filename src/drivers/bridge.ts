import { formatIpPrefix } from '../model/ip.ts';
import type { BridgeNetwork } from '../model/network.ts';
import type { NetworkDriver, NetworkSpec } from './driver.ts';
import { linkName, networkAlias } from './naming.ts';

const DEFAULT_MTU = 1500;

/** A network inside the gateway: a bridge that is its workloads' router, and masquerades what leaves. */
export const bridge: NetworkDriver<BridgeNetwork> = {
  specify(network, _endpoints, _remotes, host): NetworkSpec {
    const name = linkName('lsb', network.name);
    const mtu = network.mtu ?? host.underlay?.mtu ?? DEFAULT_MTU;
    const subnet = network.subnets.find((prefix) => prefix.family === 4);
    const routed = subnet !== undefined && network.gateway !== undefined;
    return {
      links: [
        {
          name,
          alias: networkAlias(host.gateway, network.name, 'bridge'),
          object: `network/${network.name}`,
          kind: { type: 'bridge' },
          mtu,
          addresses: routed ? [formatIpPrefix({ ...subnet, address: network.gateway })] : [],
        },
      ],
      attachment: { type: 'veth', bridge: name },
      mtu,
      gateways: routed ? [network.gateway] : [],
      fdb: [],
      routes: [],
      nat: routed ? { bridge: name, subnet } : undefined,
      engine: undefined,
      shim: name,
    };
  },
};
