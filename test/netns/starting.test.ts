import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { GatewayStatus } from '../../src/model/status.ts';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply } from './support/documents.ts';

const LOCAL = '127.0.0.1:8479';
/** what the bridge network gives the host itself */
const [SUBNET, ON_BRIDGE] = ['172.30.0.0/24', '172.30.0.1:8479'];
const GET = `fetch(process.argv[1]).then(async (a) => console.log(JSON.stringify([a.status, await a.text()])))`;

let lab: Lab;
let host: Namespace;

beforeEach(async () => {
  builtService();
  lab = new Lab();
  host = await lab.namespace('host');
});
afterEach(() => lab.close());

const start = (listen: string, more: { datapath?: object; dir?: string } = {}): Promise<Gateway> => {
  const { dir, ...sections } = more;
  const config = { gateway: 'gw-a', mqtt: { url: 'mqtt://127.0.0.1:9' }, status: { listen }, ...sections };
  return startGateway(lab, { namespace: host, config, ...(dir !== undefined && { dir }) });
};

/** The status page's answer, code and body; undefined where nothing listens. */
async function get(listen: string, path: string): Promise<readonly [number, string] | undefined> {
  const { code, stdout } = await host.attempt(process.execPath, '-e', GET, `http://${listen}${path}`);
  return code === 0 ? (JSON.parse(stdout) as [number, string]) : undefined;
}

/** A datapath that takes questions and answers none, which the first look at the host waits for. */
async function silentDatapath(): Promise<{ socket: string; release: () => void }> {
  const waiting: Socket[] = [];
  const socket = join(await lab.folder(), 'datapath.sock');
  const server = createServer((connection) => void waiting.push(connection)).listen(socket);
  await once(server, 'listening');
  lab.defer(() => void server.close());
  return { socket, release: () => waiting.splice(0).forEach((connection) => connection.end('no')) };
}

test('the page answers, and says so, while the gateway is still to look at its host for the first time', async () => {
  const { socket, release } = await silentDatapath();
  const starting = start(LOCAL, { datapath: { socket } });
  await until('the page', async () => (await get(LOCAL, '/')) !== undefined);
  const [, page = ''] = (await get(LOCAL, '/')) ?? [];
  expect(page).toContain('gw-a: Starting');
  const [code, body = ''] = (await get(LOCAL, '/v1/status')) ?? [];
  expect(code).toBe(200);
  expect((JSON.parse(body) as GatewayStatus).health).toMatchObject({ ok: false, ready: false, starting: true });
  expect((await get(LOCAL, '/v1/networks'))?.[0]).toBe(503);
  // whoever may command it finds it only when it stands
  const up = starting.then(() => 'up');
  expect(await Promise.race([up, Promise.resolve('starting')])).toBe('starting');
  release();
  const gateway = await starting;
  expect((await gateway.status()).health).toMatchObject({ ready: true, starting: false });
  expect(await get(LOCAL, '/v1/networks')).toEqual([200, '[]\n']);
  expect((await get(LOCAL, '/'))?.[1]).not.toContain('Starting');
});

test('a page on an address that the first cycle makes is there after it', async () => {
  const first = await start(LOCAL);
  await apply(first, 1, { networks: { cell: { driver: 'bridge', subnet: SUBNET } } });
  await first.stop();
  const bridges = await host.ipJson<{ ifname: string }[]>('link', 'show', 'type', 'bridge');
  for (const { ifname } of bridges) await host.ip('link', 'delete', ifname);
  const again = await start(ON_BRIDGE, { dir: first.dir });
  expect(again.log()).not.toContain('listen_failed');
  expect((await get(ON_BRIDGE, '/readyz'))?.[0]).toBe(200);
});

test('one on an address that never comes ends the start', async () => {
  await expect(start('192.0.2.77:8479')).rejects.toThrow(/192\.0\.2\.77:8479.*ended|ended[^]*192\.0\.2\.77:8479/);
});
