import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Gateway, startGateway } from '../../lab/gateway.ts';
import type { Lab } from '../../lab/lab.ts';
import { Mosquitto } from '../../lab/mosquitto.ts';
import { until } from '../../lab/wait.ts';
import type { End, Ends, Path } from './ends.ts';
import { pathOf } from './ends.ts';

/** The network that Linkspan is measured on. */
export type BenchNetwork = {
  /** asked for by name: `auto` would have measured the other one where this one cannot be */
  readonly engine: 'kernel' | 'user';
  readonly vni: number;
  /** the first three bytes of the workloads' addresses */
  readonly subnet: string;
};

/** How a gateway's service is started: without a folder, in a new one. */
type Start = { readonly end: End; readonly broker: string; readonly dir: string | undefined };

/**
 * Linkspan as it is installed, at both ends: two services that find each other over a broker at the first gateway, and
 * then stand idle.
 * @param dirs the folders of the gateways, where something of theirs runs already
 */
export async function linkspanPath(
  lab: Lab,
  ends: Ends,
  network: BenchNetwork,
  dirs: readonly string[] = [],
): Promise<Path> {
  const [{ gateway: namespace, underlay: address }] = ends;
  const { url: broker } = await Mosquitto.start(lab, { namespace, address });
  const services: Gateway[] = [];
  for (const [at, end] of ends.entries()) {
    services.push(await startService(lab, network, { end, broker, dir: dirs[at] }));
  }
  for (const service of services) {
    await until('both sites to know each other', async () => (await service.status()).networks[0]?.peers === 1);
  }
  const path = pathOf(ends, network.subnet);
  await until('the sites to reach each other', () => path.client.reaches(path.address));
  return path;
}

async function startService(lab: Lab, network: BenchNetwork, { end, broker, dir }: Start): Promise<Gateway> {
  const config = {
    gateway: `bench-${network.engine}-${end.index}-${process.pid}`,
    underlay: { address: end.underlay },
    mqtt: { url: broker },
    status: { listen: '127.0.0.1:0' },
  };
  const options = { namespace: end.gateway, config };
  const service = await startGateway(lab, dir === undefined ? options : { ...options, dir });
  const file = join(service.dir, 'bench.json');
  await writeFile(file, JSON.stringify(documentOf(end, network)));
  const { code, stderr } = await service.cli('apply', '-f', file, '--wait', '20');
  if (code !== 0) throw new Error(`the bench's document was not applied: ${stderr}\n${service.log()}`);
  return service;
}

function documentOf({ workload, index }: End, { engine, vni, subnet }: BenchNetwork): unknown {
  const networks = { bench: { driver: 'overlay', vni, subnet: `${subnet}.0/24`, engine } };
  const endpoint = { sandbox: { netns: workload.name }, networks: { bench: { address: `${subnet}.${index}` } } };
  return { v: 1, version: 1, spec: { networks, workloads: { [`workload-${index}`]: endpoint } } };
}
