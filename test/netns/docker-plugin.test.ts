import { request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';

/** How long after it has come a container leaves: at each of these points of a look, which lasts about as long. */
const TIMES = 25;
const STEP_MS = 12;
const LOOK_MS = 100;

const lab = new Lab();
let host: Namespace;
let sandbox: Namespace;
let gateway: Gateway;
let socketPath: string;

/** One call of Docker's; throws what it is refused with. */
async function call(method: string, body: object): Promise<Record<string, Record<string, string>>> {
  const answer = await new Promise<Record<string, Record<string, string>>>((resolve, reject) => {
    const asked = request(
      { socketPath, path: `/NetworkDriver.${method}`, method: 'POST', agent: false },
      (response) => {
        json(response).then((value) => resolve(value as typeof answer), reject);
      },
    );
    asked.on('error', reject);
    asked.end(JSON.stringify(body));
  });
  if (answer['Err'] !== undefined) throw new Error(`${method}: ${JSON.stringify(answer['Err'])}`);
  return answer;
}

beforeAll(async () => {
  host = await lab.namespace('gw');
  sandbox = await lab.namespace('box');
  await lab.veth(host, 'lan0', await lab.namespace('plc'), 'eth0');
  const dir = await lab.folder();
  socketPath = join(dir, 'plugin.sock');
  const docker = { pluginSocket: socketPath, engineSocket: '' };
  const mqtt = { embedded: { listen: '127.0.0.1:0' } };
  const underlay = { address: '127.0.0.1' };
  gateway = await startGateway(lab, { namespace: host, dir, config: { gateway: 'gw-a', underlay, mqtt, docker } });
  const pool = { Pool: '10.20.0.0/24', Gateway: '10.20.0.1/24' };
  const options = { 'com.docker.network.generic': { parent: 'lan0' } };
  await call('CreateNetwork', { NetworkID: 'plant', Options: options, IPv4Data: [pool] });
}, 60_000);

afterAll(() => lab.close(), 60_000);

test('what leaves while its coming is being looked at does not come back', async () => {
  // A look at a sandbox of so many interfaces takes long enough for a container to leave meanwhile.
  await sandbox.batch(Array.from({ length: 800 }, (_, index) => `link add d${index} type bridge`));
  for (let index = 0; index < TIMES; index++) {
    const ids = { NetworkID: 'plant', EndpointID: `endpoint${index}` };
    await call('CreateEndpoint', { ...ids, Interface: { Address: `10.20.0.${index + 10}/24` } });
    const link = (await call('Join', { ...ids, SandboxKey: sandbox.path }))['InterfaceName']?.['SrcName'] ?? '';
    await host.ip('link', 'set', link, 'netns', sandbox.name, 'name', 'eth0');
    await sandbox.ip('link', 'set', 'eth0', 'up');
    await sleep((index * STEP_MS) % LOOK_MS);
    // In Docker's order: it leaves, its link goes back, and then it is gone.
    await call('Leave', ids);
    await sandbox.batch(['link set eth0 down', `link set eth0 netns ${host.name} name ${link}`]);
    await call('DeleteEndpoint', ids);
  }
  await sleep(2000);
  expect((await gateway.status()).endpoints).toEqual([]);
  expect((await sandbox.ip('-br', 'link')).stdout).not.toContain('eth0');
}, 120_000);
