import type { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { gatewayName } from '../../netns/support/names.ts';
import { Relay } from './relay.ts';
import { DockerSite } from './site.ts';

const BEHIND_RELAY = '/run/linkspan-plugin.sock';

/** A gateway with Docker at a plant's wire (`lan0`) with one PLC, 10.20.0.10; dockerd meets linkspand through the relay. */
export type RelayedSite = {
  readonly host: Namespace;
  readonly plc: Namespace;
  readonly site: DockerSite;
  readonly relay: Relay;
};

export async function relayedSite(lab: Lab, gateway: string): Promise<RelayedSite> {
  const [host, plc] = [await lab.namespace('gw'), await lab.namespace('plc')];
  await lab.veth(host, 'lan0', plc, 'eth0');
  await plc.ip('address', 'add', '10.20.0.10/24', 'dev', 'eth0');
  await host.ip('address', 'add', '10.20.0.1/24', 'dev', 'lan0');
  const mqtt = { embedded: { listen: '127.0.0.1:0' } };
  const config = { gateway: gatewayName(gateway), mqtt, underlay: { address: '10.20.0.1' } };
  const site = await DockerSite.start(lab, { namespace: host, config, pluginSocket: BEHIND_RELAY });
  const relay = await Relay.start(lab, site.node, site.node.outside(BEHIND_RELAY));
  return { host, plc, site, relay };
}
