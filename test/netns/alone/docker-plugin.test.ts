import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Gateway, startGateway } from '../../lab/gateway.ts';
import { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { until } from '../../lab/wait.ts';
import { apply } from '../support/documents.ts';
import { serve } from '../support/services.ts';

/** How long after it has come a container leaves: at each of these points of a look, which lasts about as long. */
const TIMES = 25;
const STEP_MS = 12;
const LOOK_MS = 100;
/** Longer than Node leaves a connection open on which nothing is said. */
const IDLE_MS = 8000;

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

type Ids = { readonly NetworkID: string; readonly EndpointID: string };

const joinedIds = (endpoint: string): Ids => ({ NetworkID: 'joined', EndpointID: endpoint });

/** What Docker does with a container that starts: its interface is there when this returns, with Docker's addresses. */
async function start(ids: Ids, at: Namespace, Address: string, AddressIPv6: string): Promise<void> {
  await call('CreateEndpoint', { ...ids, Interface: { Address, AddressIPv6 } });
  await enter(ids, at, [Address, AddressIPv6]);
}

async function enter(ids: Ids, at: Namespace, given: readonly string[]): Promise<void> {
  const link = (await call('Join', { ...ids, SandboxKey: at.path }))['InterfaceName']?.['SrcName'] ?? '';
  await host.ip('link', 'set', link, 'netns', at.name, 'name', 'eth0');
  await at.batch([...given.map((address) => `address add ${address} dev eth0`), 'link set eth0 up']);
}

async function addresses(at: Namespace): Promise<readonly string[]> {
  const [link] = await at.ipJson<{ addr_info: { local: string; scope: string }[] }[]>('address', 'show', 'eth0');
  return (link?.addr_info ?? []).filter(({ scope }) => scope === 'global').map(({ local }) => local);
}

describe('a Docker network whose own pool is not that of the network which it joins', () => {
  let first: Namespace;

  beforeAll(async () => {
    const cell = { driver: 'bridge', subnet: '172.30.0.0/24', subnet6: 'fd00:30::/64' };
    await apply(gateway, 1, { networks: { cell } });
    const options = { 'com.docker.network.generic': { network: 'cell' } };
    await call('CreateNetwork', { NetworkID: 'joined', Options: options });
    first = await lab.namespace('first');
    await start(joinedIds('first'), first, '172.30.0.2/24', 'fd99::2/64');
    await until('its own addresses', async () => !(await addresses(first)).includes('172.30.0.2'));
  });

  test('a container keeps its address when Docker gives it to another', async () => {
    const held = await addresses(first);
    const picked = held.find((address) => address.startsWith('172.30.0.')) ?? '';
    const second = await lab.namespace('second');
    await start(joinedIds('second'), second, `${picked}/24`, 'fd99::3/64');
    await until('the second’s own addresses', async () => !(await addresses(second)).includes(picked));
    expect(await addresses(first)).toEqual(held);
  });

  test('an endpoint that is made a second time leaves nothing of the first', async () => {
    await call('CreateEndpoint', {
      ...joinedIds('first'),
      Interface: { Address: '172.30.0.4/24', AddressIPv6: 'fd99::4/64' },
    });
    expect((await first.ip('-br', 'link')).stdout).not.toContain('eth0');
    const third = await lab.namespace('third');
    await start(joinedIds('first'), third, '172.30.0.4/24', 'fd99::4/64');
    await until('its own addresses', async () => !(await addresses(third)).includes('172.30.0.4'));
  });
});

test('a port on which the gateway itself listens is not published, nor given out', async () => {
  await call('CreateNetwork', { NetworkID: 'own', IPv4Data: [{ Pool: '172.31.0.0/24', Gateway: '172.31.0.1/24' }] });
  await serve(lab, host, 'host', 32_768, '0.0.0.0');
  const publishing = (endpoint: string, HostPort: number): Promise<unknown> =>
    call('CreateEndpoint', {
      NetworkID: 'own',
      EndpointID: endpoint,
      Interface: { Address: '172.31.0.2/24' },
      Options: { 'com.docker.network.portmap': [{ Proto: 6, Port: 80, HostPort, HostPortEnd: HostPort }] },
    });
  await expect(publishing('named', 32_768)).rejects.toThrow(/port 32768.tcp .* listens on it/);
  await publishing('any', 0);
  await enter({ NetworkID: 'own', EndpointID: 'any' }, await lab.namespace('any'), ['172.31.0.2/24']);
  await until('the port to be published', async () =>
    (await gateway.status()).endpoints.some(({ published }) => published.includes('32769:80/tcp')),
  );
}, 60_000);

test('Docker’s connection stays open however long it says nothing; a body without end is not read to its end', async () => {
  const docker = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (size: number): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const path = '/NetworkDriver.GetCapabilities';
      const asked = request({ socketPath, path, method: 'POST', agent: docker }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      });
      asked.on('socket', (socket) => sockets.add(socket));
      asked.on('error', reject);
      asked.end(' '.repeat(size));
    });
  const sockets = new Set<unknown>();
  await ask(0);
  await sleep(IDLE_MS);
  await ask(0);
  expect(sockets.size).toBe(1);
  await expect(ask(2 * 1024 * 1024)).rejects.toThrow(/ECONNRESET|EPIPE|hang up/);
  docker.destroy();
}, 30_000);
