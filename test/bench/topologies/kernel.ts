import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Gateway, startGateway } from '../../lab/gateway.ts';
import type { Lab } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import type { End, Ends, Path } from './ends.ts';
import { pathOf } from './ends.ts';

const VNI = 19_541;
const SUBNET = '10.91.0';

/** Linkspan itself at both ends: two services that find each other over the first one's broker, and then stand idle. */
export async function kernelPath(lab: Lab, ends: Ends): Promise<Path> {
  const services: Gateway[] = [];
  for (const end of ends) services.push(await startService(lab, end, ends[0].underlay));
  for (const service of services) {
    await until('both sites to know each other', async () => (await service.status()).networks[0]?.peers === 1);
  }
  const path = pathOf(ends, SUBNET);
  await until('the sites to reach each other', () => path.client.reaches(path.address));
  return path;
}

async function startService(lab: Lab, end: End, first: string): Promise<Gateway> {
  const { gateway, index, underlay } = end;
  const broker = `${first}:1883`;
  const config = {
    gateway: `bench-${index}-${process.pid}`,
    underlay: { address: underlay },
    mqtt: index === 1 ? { url: '', embedded: { listen: broker } } : { url: `mqtt://${broker}` },
    status: { listen: '127.0.0.1:0' },
  };
  const service = await startGateway(lab, { namespace: gateway, config });
  const file = join(service.dir, 'bench.json');
  await writeFile(file, JSON.stringify(documentOf(end)));
  const { code, stderr } = await service.cli('apply', '-f', file, '--wait', '20');
  if (code !== 0) throw new Error(`the bench's document was not applied: ${stderr}`);
  return service;
}

function documentOf({ workload, index }: End): unknown {
  const networks = { bench: { driver: 'overlay', vni: VNI, subnet: `${SUBNET}.0/24` } };
  const endpoint = { sandbox: { netns: workload.name }, networks: { bench: { address: `${SUBNET}.${index}` } } };
  return { v: 1, version: 1, spec: { networks, workloads: { [`workload-${index}`]: endpoint } } };
}
