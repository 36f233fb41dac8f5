import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Dnsmasq } from '../lab/dnsmasq.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { apply, workload } from '../netns/support/documents.ts';
import { gatewayName } from '../netns/support/names.ts';
import { DockerSite } from './support/site.ts';

const RANGE = 'dhcp-range=10.77.0.100,10.77.0.200,255.255.255.0';
const ROUTER = 'dhcp-option=option:router,10.77.0.1';
const LEASED = /^10\.77\.0\.(1\d\d|200)\/24$/;
const PLANT = { driver: 'macvlan', uplink: 'lan', address: 'dhcp' };
const uplinks = { lan: { interface: 'lan0' } };

const lab = new Lab();
let host: Namespace;
let plant: Namespace;
let server: Dnsmasq;
let site: DockerSite;
let w1: Namespace;

beforeAll(async () => {
  [host, plant, w1] = [await lab.namespace('gw'), await lab.namespace('sw'), await lab.namespace('w1')];
  await lab.veth(host, 'lan0', plant, 'gw');
  await lab.bridge(plant, 'br0', ['gw']);
  await plant.ip('address', 'add', '10.77.0.1/24', 'dev', 'br0');
  server = await Dnsmasq.start(lab, plant, 'br0', [RANGE, ROUTER]);
  const mqtt = { embedded: { listen: '127.0.0.1:0' } };
  const config = { gateway: gatewayName('a'), mqtt, underlay: { address: '127.0.0.1' } };
  site = await DockerSite.start(lab, { namespace: host, config });
}, 180_000);

afterAll(() => lab.close(), 60_000);

const endpoint = async (): Promise<
  { addresses: readonly string[]; state: string; problem: string | null } | undefined
> => (await site.gateway.status()).endpoints[0];

describe('a workload of the document', () => {
  test('has its address from the plant’s server when it is attached, and gives it back', async () => {
    await apply(site.gateway, 1, {
      uplinks,
      networks: { plant: PLANT },
      workloads: { w1: workload(w1, { plant: {} }) },
    });
    await site.attached(1);
    const [address = ''] = (await endpoint())?.addresses ?? [];
    expect(address).toMatch(LEASED);
    expect((await w1.ip('route')).stdout).toContain('default via 10.77.0.1');
    expect(await plant.reaches(address.split('/')[0] ?? '')).toBe(true);
    expect(await server.leases()).toMatchObject([{ hostname: 'w1', address: address.split('/')[0] }]);
    // The same one after a restart of the service, and no second client's.
    await site.gateway.kill9();
    await site.restartGateway();
    await site.attached(1);
    expect((await endpoint())?.addresses).toEqual([address]);
    await apply(site.gateway, 2, { uplinks, networks: { plant: PLANT } });
    await until('the lease to be given back', async () => (await server.leases()).length === 0);
  }, 60_000);

  test('waits and says why while no server answers, and starts when one does', async () => {
    await server.stop();
    await apply(site.gateway, 3, {
      uplinks,
      networks: { plant: PLANT },
      workloads: { w1: workload(w1, { plant: {} }) },
    });
    await until('it to say so', async () => (await endpoint())?.problem?.includes('DHCP'));
    expect((await endpoint())?.state).toBe('waiting');
    await server.restart();
    await until('it to be attached', async () => (await endpoint())?.state === 'attached', 40_000);
    await apply(site.gateway, 4, { uplinks, networks: { plant: PLANT } });
  }, 90_000);
});

describe('a container', () => {
  test('has its address before it starts, keeps it by its MAC, and gives it back', async () => {
    await site.docker('network', 'create', '-d', 'linkspan', '-o', 'network=plant', '--ipam-driver', 'null', 'plant');
    const same = ['--network', 'plant', '--mac-address', '02:00:00:00:00:77'] as const;
    await site.run('hmi', ...same);
    const shown = (): Promise<string> => site.exec('hmi', 'ip', '-4', '-o', 'address', 'show', 'dev', 'eth0');
    const address = /inet (\S+)/.exec(await shown())?.[1] ?? '';
    expect(address).toMatch(LEASED);
    expect(await site.exec('hmi', 'ip', 'route')).toContain('default via 10.77.0.1');
    expect(await site.docker('inspect', '-f', '{{.NetworkSettings.Networks.plant.IPAddress}}', 'hmi')).toBe(
      address.split('/')[0],
    );
    await site.attached(1);
    await site.docker('restart', '-t', '0', 'hmi');
    expect(await shown()).toContain(address);
    expect(await server.leases()).toHaveLength(1);
    await site.docker('rm', '-f', 'hmi');
    await until('the lease to be given back', async () => (await server.leases()).length === 0);
  }, 60_000);

  test('does not start without an address, and says why', async () => {
    await server.stop();
    const { code, stderr } = await site.dockerd.attempt('run', '--rm', '--network', 'plant', 'busybox', 'true');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/DHCP/);
    await site.docker('network', 'rm', 'plant');
  }, 60_000);
});
