import type { EngineName } from '../../lab/docker-engines.ts';
import type { Lab } from '../../lab/lab.ts';
import { Mosquitto } from '../../lab/mosquitto.ts';
import { NetworkNamespace } from '../../lab/namespace.ts';
import { until } from '../../lab/wait.ts';
import { DockerSite } from '../../docker/support/site.ts';
import type { Side } from '../attach/comparison.ts';
import { SIDES } from '../attach/comparison.ts';
import type { LabName, Path } from './ends.ts';
import { makeGateways } from './ends.ts';

/** An overlay network that both sites' Docker knows; `subnet` is the first three bytes of its addresses. */
type Overlay = { readonly name: string; readonly subnet: string };

/** Two gateways with Docker, joined by an overlay of each side; a container stands on each at both sites. */
export type AcrossSites = {
  readonly a: DockerSite;
  readonly networks: Readonly<Record<Side, Overlay>>;
  /** from the container at `a` to the one at the other site */
  readonly paths: Readonly<Record<Side, Path>>;
};

const NETWORKS: AcrossSites['networks'] = {
  linkspan: { name: 'ls', subnet: '10.120.0' },
  docker: { name: 'ov', subnet: '10.121.0' },
};

/** Linkspan has 4789 on the same gateways. */
const SWARM_PORT = 4790;

/**
 * A container that pings an address before it is there asks for its MAC again once a second: the first reply would fall
 * on the next second rather than when the network is ready. It asks as often as it pings.
 */
const ASK_AGAIN_MS = 10;

const underlay = (index: number): string => `198.51.100.${index}`;

/** Both overlays on the same two gateways, by the same two dockerd: their swarm is in force whichever is measured. */
export async function acrossSites(lab: Lab, name: LabName, engine: EngineName): Promise<AcrossSites> {
  const [gatewayA, gatewayB] = await makeGateways(lab, name, 'docker');
  const broker = await Mosquitto.start(lab, { namespace: gatewayA, address: underlay(1) });
  const start = (index: number, namespace: typeof gatewayA): Promise<DockerSite> => {
    const gateway = `bench-${name}-${index}-${process.pid}`;
    const config = { gateway, underlay: { address: underlay(index) }, mqtt: { url: broker.url } };
    return DockerSite.start(lab, { namespace, engine, config });
  };
  const [a, b] = [await start(1, gatewayA), await start(2, gatewayB)];
  await makeLinkspan([a, b]);
  await makeSwarm(a, b);
  const paths = { linkspan: await joinSites('linkspan', a, b), docker: await joinSites('docker', a, b) };
  for (const side of SIDES) {
    await until(`${side}'s sites to reach each other`, () => paths[side].client.reaches(paths[side].address));
  }
  return { a, networks: NETWORKS, paths };
}

/** Each site's Docker is told by itself; the engine is asked for by name, since `auto` could be another. */
async function makeLinkspan(sites: readonly DockerSite[]): Promise<void> {
  const { name, subnet } = NETWORKS.linkspan;
  const options = ['-o', 'vni=10120', '-o', 'engine=kernel', '--subnet', `${subnet}.0/24`];
  for (const site of sites) await site.docker('network', 'create', '-d', 'linkspan', ...options, name);
  for (const { gateway } of sites) {
    await until('both sites to know each other', async () => (await gateway.status()).networks[0]?.peers === 1);
  }
}

/** The containers that are timed start at the manager, where Docker's overlay is soonest. */
async function makeSwarm(a: DockerSite, b: DockerSite): Promise<void> {
  const { name, subnet } = NETWORKS.docker;
  await a.docker('swarm', 'init', '--advertise-addr', underlay(1), '--data-path-port', String(SWARM_PORT));
  const token = await a.docker('swarm', 'join-token', '-q', 'worker');
  await b.docker('swarm', 'join', '--advertise-addr', underlay(2), '--token', token, `${underlay(1)}:2377`);
  await a.docker('network', 'create', '-d', 'overlay', '--attachable', '--subnet', `${subnet}.0/24`, name);
}

async function joinSites(side: Side, a: DockerSite, b: DockerSite): Promise<Path> {
  const client = await stand(a, side, 3);
  return { client, server: await stand(b, side, 4), address: `${NETWORKS[side].subnet}.4`, datapaths: [] };
}

/** A container that stays, and its network namespace. */
async function stand(site: DockerSite, side: Side, host: number): Promise<NetworkNamespace> {
  const { name, subnet } = NETWORKS[side];
  const container = `on-${name}`;
  await site.run(container, '--network', name, '--ip', `${subnet}.${host}`);
  const pid = await site.docker('inspect', '-f', '{{.State.Pid}}', container);
  const namespace = new NetworkNamespace(`${container} of ${site.node.namespace.name}`, `/proc/${pid}/ns/net`);
  await namespace.exec('sysctl', '-qw', `net.ipv4.neigh.eth0.retrans_time_ms=${ASK_AGAIN_MS}`);
  return namespace;
}
