import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ENGINES } from '../lab/docker-engines.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { apply } from '../netns/support/documents.ts';
import { gatewayName } from '../netns/support/names.ts';
import { DockerSite } from './support/site.ts';

const TUTORIAL = fileURLToPath(new URL('../../docs/docker.md', import.meta.url));
const CREATE = ['network', 'create', '-d', 'linkspan'] as const;
/** Answers one line and waits for the next caller. */
const SERVE = ['sh', '-c', 'while true; do echo here | nc -l -p 80; done'] as const;

const answers = async (from: Namespace, address: string, port: string): Promise<boolean> =>
  (await from.attempt('timeout', '2', 'busybox', 'nc', address, port)).stdout === 'here\n';

describe.each(ENGINES)('bridge networks with the %s engine', (engine) => {
  let lab: Lab;
  let host: Namespace;
  let plc: Namespace;
  let site: DockerSite;

  beforeAll(async () => {
    lab = new Lab();
    [host, plc] = [await lab.namespace('gw'), await lab.namespace('plc')];
    await lab.veth(host, 'lan0', plc, 'eth0');
    await plc.ip('address', 'add', '10.20.0.10/24', 'dev', 'eth0');
    await host.ip('address', 'add', '10.20.0.1/24', 'dev', 'lan0');
    const mqtt = { embedded: { listen: '127.0.0.1:0' } };
    const config = { gateway: gatewayName('a'), mqtt, underlay: { address: '10.20.0.1' } };
    site = await DockerSite.start(lab, { namespace: host, engine, config });
    await apply(site.gateway, 1, { networks: { line1: { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' } } });
  }, 180_000);

  afterAll(() => lab.close(), 60_000);

  afterEach(async () => {
    const containers = (await site.docker('ps', '-aq')).split('\n').filter((id) => id !== '');
    if (containers.length > 0) await site.docker('rm', '-f', ...containers);
    await site.docker('network', 'prune', '-f');
    const rules = (await host.attempt('nft', 'list', 'table', 'inet', 'linkspan')).stdout;
    expect(rules).not.toContain('lsb-');
  }, 60_000);

  const macOf = async (): Promise<string> => {
    const links = await host.ipJson<{ ifname: string; address: string }[]>('link', 'show', 'type', 'bridge');
    return links.find(({ ifname }) => ifname.startsWith('lsb-docke'))?.address ?? '';
  };

  const reaches = async (container: string, address: string, port: string): Promise<boolean> =>
    (await site.dockerd.attempt('exec', container, 'timeout', '2', 'nc', address, port)).stdout === 'here\n';

  test('a published port is reached from the plant, the host and another network; a name inside its own', async () => {
    await site.docker(...CREATE, '--subnet', '172.31.0.0/24', 'cell');
    await site.docker(...CREATE, '--subnet', '172.32.0.0/24', 'other');
    await site.docker('run', '-d', '--name', 'web', '--network', 'cell', '-p', '8080:80', 'busybox', ...SERVE);
    await site.run('near', '--network', 'cell');
    await site.run('far', '--network', 'other');
    await until('the port to be published', () => answers(plc, '10.20.0.1', '8080'));
    // The server begins anew after each caller; who comes just then is refused.
    await until('the host to be answered', () => answers(host, '10.20.0.1', '8080'));
    await until('the host to be answered at 127.0.0.1', () => answers(host, '127.0.0.1', '8080'));
    await until('a neighbour to be answered, by name', () => reaches('near', 'web', '80'));
    await until('another network to be answered', () => reaches('far', '10.20.0.1', '8080'));
    const address = await site.docker('inspect', '-f', '{{.NetworkSettings.Networks.cell.IPAddress}}', 'web');
    expect(await reaches('far', address, '80')).toBe(false);
    expect(await answers(plc, address, '80')).toBe(false);
    expect(await site.reaches('far', '10.20.0.10')).toBe(true);
    // Taken while it lives, free when it is gone.
    const again = await site.dockerd.attempt('run', '--rm', '--network', 'other', '-p', '8080:80', 'busybox', 'true');
    expect(again.stderr).toMatch(/8080\/tcp.*publish another one/);
    await site.docker('rm', '-f', 'web');
    await until('the port to be free', async () => !(await answers(plc, '10.20.0.1', '8080')));
  }, 90_000);

  test('connected and disconnected while it runs; apart where icc is off', async () => {
    await site.docker(...CREATE, '--subnet', '172.31.0.0/24', 'cell');
    await site.docker(
      ...CREATE,
      '--subnet',
      '172.32.0.0/24',
      '-o',
      'com.docker.network.bridge.enable_icc=false',
      'apart',
    );
    await site.run('ann', '--network', 'cell');
    await site.run('ben', '--network', 'apart', '--ip', '172.32.0.12');
    await site.docker('network', 'connect', '--ip', '172.31.0.22', 'cell', 'ben');
    expect(await site.reaches('ann', 'ben')).toBe(true);
    await site.docker('network', 'disconnect', 'cell', 'ben');
    expect(await site.reaches('ann', '172.31.0.22')).toBe(false);
    await site.run('cem', '--network', 'apart');
    expect(await site.reaches('cem', '172.32.0.12')).toBe(false);
    expect(await site.reaches('cem', '10.20.0.10')).toBe(true);
  }, 90_000);

  test('the router’s MAC stays when the workload goes whose port was the first', async () => {
    await site.docker(...CREATE, '--subnet', '172.31.0.0/24', 'cell');
    const mac = await macOf();
    for (const name of ['ann', 'ben', 'cem']) await site.run(name, '--network', 'cell');
    for (const name of ['ann', 'ben']) {
      await site.docker('rm', '-f', name);
      expect(await site.reaches('cem', '10.20.0.10')).toBe(true);
      expect([mac, await macOf()]).toEqual([expect.stringMatching(/^..:/), mac]);
    }
  }, 90_000);

  test('an internal network has no way out', async () => {
    await site.docker(...CREATE, '--internal', '--subnet', '172.31.0.0/24', 'cell');
    await site.run('ann', '--network', 'cell');
    await site.run('ben', '--network', 'cell');
    expect(await site.reaches('ann', 'ben')).toBe(true);
    expect(await site.reaches('ann', '10.20.0.10')).toBe(false);
    expect(await site.exec('ann', 'ip', 'route')).not.toContain('default');
    // The host itself reaches them, as with Docker's own.
    const address = await site.docker('inspect', '-f', '{{.NetworkSettings.Networks.cell.IPAddress}}', 'ann');
    expect(await host.reaches(address)).toBe(true);
  }, 90_000);

  test('the tutorial’s compose file does what the tutorial says', async () => {
    const [, file = ''] = /```yaml\n(services:.*?)```/s.exec(await readFile(TUTORIAL, 'utf8')) ?? [];
    const folder = await lab.folder();
    await writeFile(join(folder, 'compose.yaml'), file);
    await site.dockerd.compose(folder, 'up', '-d');
    const ping = await site.dockerd.compose(folder, 'exec', '-T', 'historian', 'ping', '-c', '1', 'panel');
    expect(ping.stdout).toContain('1 packets received');
    await site.dockerd.compose(folder, 'down');
  }, 90_000);
});
