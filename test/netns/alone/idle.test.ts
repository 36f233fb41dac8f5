import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Gateway, startGateway } from '../../lab/gateway.ts';
import { Lab } from '../../lab/lab.ts';
import { type Site, twoSites } from '../../lab/sites.ts';
import { until } from '../../lab/wait.ts';
import { builtService } from '../support/built.ts';
import { apply, workload } from '../support/documents.ts';
import { startBroker } from '../support/mqtt.ts';
import { gatewayName } from '../support/names.ts';

const NETWORKS = {
  line: { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' },
  cell: { driver: 'bridge', subnet: '172.30.0.0/24' },
};

const lab = new Lab();
let gateway: Gateway;

beforeAll(async () => {
  builtService();
  const { a, b } = await twoSites(lab);
  const { broker } = await startBroker(lab, a.gateway, a.underlay);
  const start = async (site: Site, key: string, address: string): Promise<Gateway> => {
    const mqtt = { url: broker.url };
    const config = { gateway: gatewayName(key), fleet: 'plant', underlay: { address: site.underlay }, mqtt };
    const started = await startGateway(lab, {
      namespace: site.gateway,
      config: { ...config, status: { listen: '127.0.0.1:0' } },
    });
    const workloads = { [key]: workload(await site.workload('w1'), { line: { address } }) };
    await apply(started, 1, { networks: NETWORKS, workloads });
    return started;
  };
  gateway = await start(a, 'a', '10.110.0.11');
  await start(b, 'b', '10.110.0.21');
  await until('the peer', async () => (await gateway.status()).peers.some(({ state }) => state === 'up'));
}, 120_000);
afterAll(() => lab.close());

test('the idle service is small and quiet', async () => {
  const { pid } = gateway;
  await sleep(20_000);
  const start = await cpuSeconds(pid);
  await sleep(20_000);
  const share = ((await cpuSeconds(pid)) - start) / 20;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const rssMb = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  process.stdout.write(`idle: ${rssMb.toFixed(1)} MB resident, ${(share * 100).toFixed(2)} % CPU\n`);
  if (share > 0.005) process.stdout.write(gateway.log().slice(-4000));
  expect(rssMb).toBeLessThanOrEqual(100);
  expect(share).toBeLessThanOrEqual(0.005);
}, 90_000);

/** User and system time of a process and its ended children, in seconds. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}
