import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Lab } from '../lab/lab.ts';
import { Mosquitto } from '../lab/mosquitto.ts';
import { type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { apply } from '../netns/support/documents.ts';
import { gatewayName } from '../netns/support/names.ts';
import { DockerSite } from './support/site.ts';

const NETWORKS = {
  line1: { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' },
  cell: { driver: 'bridge', subnet: '172.30.0.0/24' },
};
const JOIN = ['network', 'create', '-d', 'linkspan', '-o', 'network=line1', 'line1'] as const;
/** An overlay made on the spot: each site sets its own half of the subnet aside. */
const SPOT = ['network', 'create', '-d', 'linkspan', '-o', 'vni=10120', '--subnet', '10.120.0.0/24'] as const;
/** What a start may take while broker and peers are away: no more than else, and far from Docker's 20 s. */
const AT_ONCE_MS = 10_000;

const lab = new Lab();
let sites: Sites;
let broker: Mosquitto;
let a: DockerSite;
let b: DockerSite;

beforeAll(async () => {
  sites = await twoSites(lab);
  broker = await Mosquitto.start(lab, { namespace: sites.a.gateway, address: sites.a.underlay });
  const start = (key: 'a' | 'b'): Promise<DockerSite> => {
    const { gateway: namespace, underlay: address } = sites[key];
    const mqtt = { url: broker.url };
    return DockerSite.start(lab, { namespace, config: { gateway: gatewayName(key), underlay: { address }, mqtt } });
  };
  [a, b] = [await start('a'), await start('b')];
  await Promise.all([a, b].map((site) => apply(site.gateway, 1, { networks: NETWORKS })));
}, 180_000);

afterAll(() => lab.close(), 60_000);

afterEach(async () => {
  for (const site of [a, b]) {
    const containers = (await site.docker('ps', '-aq')).split('\n').filter((id) => id !== '');
    if (containers.length > 0) await site.docker('rm', '-f', ...containers);
    await site.docker('network', 'prune', '-f');
  }
}, 60_000);

/** What busybox's nslookup says in a container, whether it finds anything or not. */
async function namedIn(site: DockerSite, container: string, name: string): Promise<string> {
  return site.exec(container, 'sh', '-c', 'nslookup "$0" 2>&1 || true', name);
}

describe('containers at two sites', () => {
  test('reach each other on a network of the document, by the plainest command', async () => {
    await Promise.all([a, b].map((site) => site.docker(...JOIN)));
    await Promise.all([a.run('ann', '--network', 'line1'), b.run('ben', '--network', 'line1')]);
    await Promise.all([a.attached(1), b.attached(1)]);
    const ben = await b.address('ben');
    expect(ben).toMatch(/^10\.110\.0\./);
    expect(await a.reaches('ann', ben)).toBe(true);
    expect(await b.reaches('ben', await a.address('ann'))).toBe(true);
  }, 60_000);

  test('find each other by name and by alias, and all else as before, through the service’s end as well', async () => {
    await Promise.all([a, b].map((site) => site.docker(...JOIN)));
    await a.run('ann', '--network', 'line1');
    await b.run('ben', '--network', 'line1', '--network-alias', 'historian');
    await a.run('sibling', '--network', 'line1');
    const [ben, sibling] = [await b.address('ben'), await a.address('sibling')];
    await until('the name of the other site', async () => (await namedIn(a, 'ann', 'ben')).includes(ben));
    expect(await a.reaches('ann', 'ben')).toBe(true);
    for (const name of ['historian', 'ben.line1', 'HISTORIAN']) expect(await namedIn(a, 'ann', name)).toContain(ben);
    expect(await namedIn(a, 'ann', ben)).toContain('ben.line1');
    expect(await namedIn(a, 'ann', 'sibling')).toContain(sibling);
    await b.docker('rm', '-f', 'ben');
    await until('the name to be gone', async () => !(await namedIn(a, 'ann', 'historian')).includes(ben));
    await a.gateway.kill9();
    // Docker's own answer, which may be the address that its IPAM meant and not the one that the container has.
    expect(await namedIn(a, 'ann', 'sibling')).toMatch(/Name:\s+sibling/);
    await a.restartGateway();
  }, 60_000);

  test('reach each other on one made on the spot; an address of the other site is refused', async () => {
    await a.docker(...SPOT, '--ip-range', '10.120.0.0/25', 'spot');
    await b.docker(...SPOT, '--ip-range', '10.120.0.128/25', 'spot');
    await a.run('ann', '--network', 'spot', '--ip', '10.120.0.11');
    await b.run('ben', '--network', 'spot', '--ip', '10.120.0.221');
    expect(await a.reaches('ann', '10.120.0.221')).toBe(true);
    const known = async (): Promise<string> =>
      (await b.dockerd.attempt('run', '--rm', '--network', 'spot', '--ip', '10.120.0.11', 'busybox', 'true')).stderr;
    await until('the other site’s address to be known', async () =>
      /10\.120\.0\.11 .*another site/.test(await known()),
    );
  }, 60_000);

  test('one that moves with its address is followed at once', async () => {
    await Promise.all([a, b].map((site) => site.docker(...SPOT, 'spot')));
    await a.run('ann', '--network', 'spot', '--ip', '10.120.0.11');
    await b.run('ben', '--network', 'spot', '--ip', '10.120.0.12');
    await until('ben to reach ann', () => b.reaches('ben', '10.120.0.11'));
    await b.docker('rm', '-f', 'ben');
    await until('the address to be free', async () => {
      const { code } = await a.dockerd.attempt(
        'run',
        '-d',
        '--name',
        'ben',
        '--network',
        'spot',
        '--ip',
        '10.120.0.12',
        'busybox',
        'sleep',
        '1000',
      );
      if (code !== 0) await a.docker('rm', '-f', 'ben');
      return code === 0;
    });
    expect(await a.reaches('ann', '10.120.0.12')).toBe(true);
  }, 60_000);

  test('with the broker, the WAN and every peer away they start, stop and start', async () => {
    await a.docker(...JOIN);
    await a.run('ann', '--network', 'line1');
    await broker.stop();
    await sites.underlay('down');
    try {
      const start = performance.now();
      await a.docker('restart', '-t', '0', 'ann');
      await a.run('abe', '--network', 'line1');
      expect(performance.now() - start).toBeLessThan(AT_ONCE_MS);
      expect(await a.reaches('ann', await a.address('abe'))).toBe(true);
    } finally {
      await sites.underlay('up');
      await sites.a.gateway.ip('route', 'replace', '198.51.100.0/24', 'dev', 'wan0');
      await broker.restart();
    }
  }, 60_000);
});

describe('a workload that the document names by its container', () => {
  const spec = {
    networks: NETWORKS,
    workloads: { hmi: { sandbox: { container: 'hmi' }, networks: { line1: { address: '10.110.0.31' }, cell: {} } } },
  };

  test('is attached when it starts, whatever starts first, and after a restart of either daemon', async () => {
    await apply(a.gateway, 2, spec);
    const waiting = (await a.gateway.status()).endpoints[0];
    expect(waiting).toMatchObject({ state: 'waiting', problem: expect.stringContaining('docker start hmi') });
    await a.run('hmi', '--network', 'none', '--restart', 'always');
    await a.attached(2);
    expect(await a.exec('hmi', 'ip', 'address', 'show', 'dev', 'net0')).toContain('10.110.0.31/24');
    await a.docker('restart', '-t', '0', 'hmi');
    await until('it to be attached again', async () =>
      (await a.exec('hmi', 'ip', 'address')).includes('10.110.0.31/24'),
    );
    await a.gateway.kill9();
    await a.docker('restart', '-t', '0', 'hmi');
    await a.restartGateway();
    await until('it to be attached again', async () =>
      (await a.exec('hmi', 'ip', 'address')).includes('10.110.0.31/24'),
    );
    await a.dockerd.kill9();
    await a.dockerd.restart();
    await until(
      'it to be attached again',
      async () => (await a.exec('hmi', 'ip', 'address')).includes('10.110.0.31/24'),
      20_000,
    );
    await apply(a.gateway, 3, { networks: NETWORKS });
    expect(await a.exec('hmi', 'ip', 'address')).not.toContain('net0');
  }, 120_000);
});
