import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import type { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Sites, twoSites } from '../lab/sites.ts';
import { vmLab } from '../lab/vm/lab.ts';
import { until } from '../lab/wait.ts';
import { builtService } from '../netns/support/built.ts';
import { apply, workload } from '../netns/support/documents.ts';
import { gatewayName } from '../netns/support/names.ts';

const AT = { a: ['10.20.0.31', 'fd00:20::31'], b: ['10.20.0.41', 'fd00:20::41'] } as const;
const PATIENCE_MS = 60_000;

let lab: Lab;
let sites: Sites;
let gateways: readonly Gateway[];
let workloads: readonly Namespace[];

function start(key: 'a' | 'b'): Promise<Gateway> {
  const { gateway: namespace, underlay: address } = sites[key];
  const own = { url: '', embedded: { listen: `${address}:1883` } };
  const mqtt = key === 'a' ? own : { url: `mqtt://${sites.a.underlay}:1883` };
  const config = { gateway: gatewayName(key), underlay: { address }, mqtt, status: { listen: '127.0.0.1:0' } };
  return startGateway(lab, { namespace, config });
}

beforeAll(async () => {
  builtService();
  lab = await vmLab();
  sites = await twoSites(lab);
  gateways = [await start('a'), await start('b')];
  workloads = [await sites.a.workload('w'), await sites.b.workload('w')];
  const line = { driver: 'overlay', vni: 10_110, subnet: '10.20.0.0/24', subnet6: 'fd00:20::/64', engine: 'kernel' };
  for (const [n, key] of (['a', 'b'] as const).entries()) {
    const [gateway, namespace] = [gateways[n], workloads[n]];
    if (gateway === undefined || namespace === undefined) throw new Error('no end');
    const [address, address6] = AT[key];
    const spec = {
      networks: { line },
      workloads: { [`w-${key}`]: workload(namespace, { line: { address, address6 } }) },
    };
    await apply(gateway, 1, spec);
  }
}, 240_000);
afterAll(() => lab.close());

const answered = async (): Promise<number> => (await gateways[0]?.status())?.suppressed_requests ?? 0;

test('Debian’s kernel answers who looks for a workload at another site, IPv4 and IPv6', async () => {
  const [w] = workloads;
  for (const address of AT.b) {
    const before = await answered();
    await until(
      `${address} to be found and answered for`,
      async () => {
        await w?.ip('neigh', 'flush', 'all');
        return (await w?.reaches(address, 2)) === true && (await answered()) > before;
      },
      PATIENCE_MS,
    );
  }
  expect(await answered()).toBeGreaterThanOrEqual(2);
});
