import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { type DockerSite, dockerSite } from './support/site.ts';

let lab: Lab;
let host: Namespace;
let plc: Namespace;
let site: DockerSite;

const docker = (...args: readonly string[]): Promise<string> => site.dockerd.docker(...args);

beforeAll(async () => {
  lab = new Lab();
  host = await lab.namespace('gw');
  plc = await lab.namespace('plc');
  await lab.veth(host, 'lan0', plc, 'eth0');
  await plc.ip('address', 'add', '10.20.0.10/24', 'dev', 'eth0');
  site = await dockerSite(lab, {
    namespace: host,
    config: { gateway: 'gw-a', mqtt: { embedded: { listen: '127.0.0.1:0' } }, underlay: { address: '127.0.0.1' } },
  });
}, 180_000);

afterAll(() => lab.close(), 60_000);

describe('a macvlan network made on the spot', () => {
  test('stands on the plant', async () => {
    await docker(
      'network',
      'create',
      '-d',
      'linkspan',
      '-o',
      'parent=lan0',
      '--subnet',
      '10.20.0.0/24',
      '--gateway',
      '10.20.0.10',
      'plant',
    );
    await docker('run', '-d', '--name', 'hmi', '--network', 'plant', '--ip', '10.20.0.21', 'busybox', 'sleep', '1000');
    expect(await plc.reaches('10.20.0.21')).toBe(true);
    process.stdout.write(`${await docker('exec', 'hmi', 'ip', 'a')}\n${await docker('exec', 'hmi', 'ip', 'r')}\n`);
    await until('attached', async () => (await site.gateway().status()).endpoints.some((e) => e.state === 'attached'));
    process.stdout.write(`${JSON.stringify((await site.gateway().status()).endpoints)}\n${site.gateway().log()}`);
    await docker('rm', '-f', 'hmi');
    await docker('network', 'rm', 'plant');
  }, 60_000);
});
