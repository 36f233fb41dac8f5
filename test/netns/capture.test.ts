import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { run } from '../lab/exec.ts';
import { startGateway } from '../lab/gateway.ts';
import { withLab } from '../lab/lab.ts';
import { twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply, workload } from './support/documents.ts';
import { gatewayName } from './support/names.ts';

test('linkspan capture writes what passes a network, inside and outside the tunnel, as tshark reads it', async () => {
  builtService();
  await withLab(async (lab) => {
    const sites = await twoSites(lab);
    const config = {
      gateway: gatewayName('a'),
      underlay: { address: sites.a.underlay },
      status: { listen: '127.0.0.1:0' },
    };
    const gateway = await startGateway(lab, { namespace: sites.a.gateway, config });
    const w1 = await sites.a.workload('w1');
    await apply(gateway, 1, {
      networks: { line: { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24', peers: [sites.b.underlay] } },
      workloads: { w1: workload(w1, { line: { address: '10.110.0.11' } }) },
    });
    const captured = async (...flags: readonly string[]): Promise<string> => {
      const file = join(await lab.folder(), 'frames.pcapng');
      const capture = gateway.cli('capture', 'line', '-w', file, '--seconds', '3', ...flags);
      await until('frames to be written', async () => {
        await w1.attempt('ping', '-c', '1', '-W', '1', '10.110.0.99');
        return (await run(['stat', '-c', '%s', file])).stdout.trim() > '200';
      });
      expect((await capture).code).toBe(0);
      return (await run(['tshark', '-r', file])).stdout;
    };
    expect(await captured('--filter', 'arp')).toMatch(/^ *\d+ .*ARP .*Who has 10\.110\.0\.99\? Tell 10\.110\.0\.11$/m);
    expect(await captured('--outer')).toContain('10.110.0.99');
    const refused = await gateway.cli('capture', 'line', '-w', '/dev/null', '--filter', 'tpc');
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('"tpc" is no filter') });
    const missing = await gateway.cli('capture', 'nowhere', '-w', '/dev/null');
    expect(missing).toMatchObject({ code: 4, stderr: expect.stringContaining('nowhere') });
  });
});
