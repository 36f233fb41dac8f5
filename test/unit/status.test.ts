import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { existsSync, linkSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttachRequest } from '../../src/control/request/attach-request.ts';
import type { Commands } from '../../src/control/socket/writes.ts';
import { writeRoutes } from '../../src/control/socket/writes.ts';
import type { GatewayStatus } from '../../src/model/status.ts';
import { EventRing } from '../../src/status/events.ts';
import { readRoutes } from '../../src/status/read-routes.ts';
import { listenTcp, listenUnix, type Listener } from '../../src/status/server.ts';
import { FDB_ENTRY, HEALTHY } from './support/status.ts';

const HOSTILE = '<script>alert(1)</script>\u001b[31m"\\\n';

const STATUS: GatewayStatus = {
  ...HEALTHY,
  uplinks: [
    {
      name: HOSTILE,
      interface: 'eth0',
      macs: 9,
      mac_limit: 8,
      promiscuous: false,
      wifi: null,
      problem: `too many${HOSTILE}`,
    },
    { name: 'eth1', interface: 'eth1', macs: 2, mac_limit: null, promiscuous: false, wifi: null, problem: null },
    {
      name: 'wifi',
      interface: 'wlan0',
      macs: 2,
      mac_limit: null,
      promiscuous: false,
      wifi: {
        ssid: HOSTILE,
        state: 'lost',
        signal_percent: null,
        heard: [{ ssid: HOSTILE, signal_percent: 40, security: HOSTILE }],
        problem: `gone${HOSTILE}`,
      },
      problem: `gone${HOSTILE}`,
    },
  ],
  endpoints: [
    {
      workload: HOSTILE,
      network: 'line1',
      interface: 'eth0',
      mac: '02:00:00:00:00:21',
      addresses: ['10.110.0.21/24'],
      sandbox: 'netns:w1',
      published: ['8080:80/tcp'],
      state: 'attached',
      problem: null,
    },
  ],
};

type Answer = { status: number; type: string; text: string; headers: Record<string, unknown> };
type Call = { method?: string; path: string; host?: string; body?: string | Buffer; accept?: string };

let directory: string;
let events: EventRing;
let status: GatewayStatus;
let attached: AttachRequest[];
let open: Listener[];

const source = (): Parameters<typeof readRoutes>[0] => ({
  status: () => status,
  fdb: () => [FDB_ENTRY],
  firmwareWaitsFor: () => [],
  events,
  desiredSchema: { title: 'desired' },
});

const commands: Commands = {
  apply: (body) =>
    Buffer.from(body).includes('"bad"')
      ? { accepted: false, problems: [{ path: '/spec/networks/x', code: 'vni_range', message: 'network/x: VNI 0' }] }
      : { accepted: true, version: 13 },
  validate: () => [],
  attach: async (wanted) => {
    attached.push(wanted);
    const problem = { path: '', code: 'failed', message: `network/${wanted.network}: no` } as const;
    if (wanted.network === 'none') return { ok: false, reason: 'not_found', problem };
    if (wanted.network === 'busy') return { ok: false, reason: 'refused', problem };
    if (wanted.network === 'boom') throw new Error('boom');
    const [endpoint] = STATUS.endpoints;
    return endpoint ? { ok: true, endpoint } : { ok: false, reason: 'failed', problem };
  },
  detach: async (_workload, network) => ({ ok: true, removed: network === undefined ? 2 : 1 }),
  clear: async ({ mac }) => ({ ok: true, cleared: mac }),
};

async function listen(): Promise<{ tcp: string; unix: string }> {
  const tcp = await listenTcp('127.0.0.1:0', readRoutes(source()));
  open.push(tcp);
  const unix = await listenUnix(join(directory, 'control.sock'), [...readRoutes(source()), ...writeRoutes(commands)]);
  open.push(unix);
  return { tcp: tcp.address, unix: unix.address };
}

function call(
  address: string,
  { method = 'GET', path, host = 'localhost', body, accept = '*/*' }: Call,
): Promise<Answer> {
  const [ip, port] = address.split(':');
  const where = address.startsWith('/') ? { socketPath: address } : { host: ip, port };
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...where, method, path, headers: { host, accept }, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          text,
          headers: response.headers,
        });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

// Node removes the file of a socket it closes; a hard link made before survives it, just as after kill -9.
async function leaveDeadSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.tmp`, resolve));
  linkSync(`${path}.tmp`, path);
  await new Promise((resolve) => server.close(resolve));
}

async function paths(address: string): Promise<string[]> {
  return Object.keys((JSON.parse((await call(address, { path: '/openapi.json' })).text) as { paths: object }).paths);
}

function many<T>(list: readonly T[]): T[] {
  return Array.from({ length: 500 }, () => list).flat();
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'status-'));
  events = new EventRing();
  status = STATUS;
  attached = [];
  open = [];
});

afterEach(async () => {
  for (const listener of open) await listener.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('reading', () => {
  test('every address of the contract answers on TCP and on the socket', async () => {
    const { tcp, unix } = await listen();
    for (const address of [tcp, unix]) {
      for (const path of [
        '/',
        '/healthz',
        '/readyz',
        '/metrics',
        '/v1/status',
        '/v1/networks',
        '/v1/endpoints',
        '/v1/peers',
        '/v1/fdb',
        '/v1/events?once=1',
        '/schema/desired.json',
        '/openapi.json',
      ]) {
        expect({ path, status: (await call(address, { path })).status }).toEqual({ path, status: 200 });
      }
    }
    expect(JSON.parse((await call(tcp, { path: '/v1/status' })).text)).toEqual(STATUS);
  });

  test('health and readiness say why not', async () => {
    const { tcp } = await listen();
    status = { ...STATUS, health: { ok: false, ready: false, starting: false, reasons: ['no cycle for 40 s'] } };
    const answers = await Promise.all(['/healthz', '/readyz'].map((path) => call(tcp, { path })));
    for (const answer of answers) {
      expect(answer.status).toBe(503);
      expect(JSON.parse(answer.text)).toEqual({ ok: false, reasons: ['no cycle for 40 s'] });
    }
  });

  test('errors are problem documents, HEAD has no body, writes are refused on TCP', async () => {
    const { tcp, unix } = await listen();
    const missing = await call(tcp, { path: '/nope' });
    expect(missing.type).toBe('application/problem+json');
    expect(JSON.parse(missing.text)).toEqual({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: expect.stringContaining('/nope'),
    });
    expect(await call(tcp, { method: 'HEAD', path: '/v1/status' })).toMatchObject({ status: 200, text: '' });
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect(await call(tcp, { method, path: '/v1/desired' })).toMatchObject({
        status: 405,
        headers: { allow: 'GET, HEAD' },
      });
    }
    expect((await call(unix, { method: 'DELETE', path: '/v1/desired' })).headers['allow']).toBe('POST');
    expect((await call(tcp, { path: '/v1/fdb?network=nope' })).status).toBe(404);
  });

  test('a Host header that is not ours is refused on TCP', async () => {
    const { tcp } = await listen();
    for (const host of [
      'evil.example',
      'evil.example:8479',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '[evil]',
    ]) {
      expect({ host, status: (await call(tcp, { path: '/v1/status', host })).status }).toEqual({ host, status: 421 });
    }
    for (const host of ['127.0.0.1:8479', '10.0.0.1', '[::1]:8479', 'localhost:80', 'LOCALHOST']) {
      expect({ host, status: (await call(tcp, { path: '/v1/status', host })).status }).toEqual({ host, status: 200 });
    }
  });

  test('the page shows hostile names as text and stays small', async () => {
    const { tcp } = await listen();
    events.add('x', 'error', HOSTILE);
    const small = await call(tcp, { path: '/' });
    expect(small.text).not.toContain('<script');
    expect(small.text).not.toContain('\u001b');
    expect(small.text).toMatch(/MACs on the switch port[^]*too many[^]*eth1/);
    expect(small.text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m&quot;');
    expect(small.headers['content-security-policy']).toContain("default-src 'none'");
    for (let count = 0; count < 300; count += 1) events.add('x', 'error', '<'.repeat(300));
    status = {
      ...STATUS,
      networks: many(STATUS.networks),
      uplinks: many(STATUS.uplinks),
      endpoints: many(STATUS.endpoints),
      peers: many(STATUS.peers),
    };
    expect(Buffer.byteLength((await call(tcp, { path: '/' })).text)).toBeLessThan(50_000);
  });

  test('metrics are named, labelled and escaped', async () => {
    const { tcp } = await listen();
    const { text } = await call(tcp, { path: '/metrics' });
    for (const line of [
      'linkspan_build_info{version="0.1.0",gateway="gw-a",fleet="plant"} 1',
      'linkspan_healthy 1',
      'linkspan_broker_connected 1',
      'linkspan_config_version{state="applied"} 12',
      'linkspan_network_endpoints{network="line1",driver="overlay"} 1',
      'linkspan_uplink_macs{interface="eth0"} 9',
      'linkspan_uplink_macs{interface="eth1"} 2',
      'linkspan_uplink_mac_limit{interface="eth0"} 8',
      'linkspan_peer_up{gateway="gw-b",vtep="198.51.100.2:4789"} 1',
      'linkspan_endpoint_attached{workload="<script>alert(1)</script>\u001b[31m\\"\\\\\\n",network="line1"} 1',
      '# TYPE linkspan_drops_total counter\nlinkspan_drops_total{reason="unknown_peer"} 7',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(
      text
        .split('\n')
        .every((line) => line === '' || line.startsWith('#') || /^linkspan_\w+(\{.*\})? [\d.e+]+$/.test(line)),
    ).toBe(true);
    expect(text).not.toContain('linkspan_uplink_mac_limit{interface="eth1"}');
  });

  test('metrics of the datapath are there while it carries networks, and not otherwise', async () => {
    const traffic = { sent_frames: 5, sent_bytes: 500, received_frames: 6, received_bytes: 600 };
    const how = { workers: 'two', batching: 'io_uring', offload: 'tso+uso' };
    const datapath = { ...how, rss_bytes: 6e7, ...traffic, segments_per_write: null };
    const { tcp } = await listen();
    expect((await call(tcp, { path: '/metrics' })).text).not.toContain('linkspan_datapath_');
    status = { ...STATUS, datapath };
    const { text } = await call(tcp, { path: '/metrics' });
    for (const line of [
      'linkspan_datapath_info{workers="two",batching="io_uring",offload="tso+uso"} 1',
      'linkspan_datapath_resident_memory_bytes 60000000',
      'linkspan_datapath_frames_total{direction="sent"} 5',
      'linkspan_datapath_bytes_total{direction="received"} 600',
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(text).not.toContain('segments_per_write');
  });

  test('openapi.json names exactly what is served', async () => {
    const { tcp, unix } = await listen();
    expect(await paths(tcp)).toEqual(
      readRoutes(source())
        .map((route) => route.path)
        .concat('/openapi.json'),
    );
    expect(await paths(unix)).toContain('/v1/attach');
  });
});

describe('the control socket', () => {
  test('has mode 0660, replaces a dead one, refuses a live one and other files', async () => {
    const path = join(directory, 'run', 'control.sock');
    const first = await listenUnix(path, []);
    expect(statSync(path).mode & 0o777).toBe(0o660);
    await expect(listenUnix(path, [])).rejects.toMatchObject({
      name: 'LinkspanError',
      message: expect.stringContaining('another process'),
    });
    await first.close();
    expect(existsSync(path)).toBe(false);
    await leaveDeadSocket(path);
    expect(existsSync(path)).toBe(true);
    await (await listenUnix(path, [])).close();
    writeFileSync(path, 'precious');
    await expect(listenUnix(path, [])).rejects.toThrow('not a socket');
    await expect(listenTcp('127.0.0.1', [])).rejects.toThrow('ADDRESS:PORT');
    await expect(listenTcp('127.0.0.1:99999', [])).rejects.toThrow('ADDRESS:PORT');
  });

  test('documents: accepted, rejected, malformed, too large', async () => {
    const { unix } = await listen();
    const post = (body: string | Buffer, path = '/v1/desired'): Promise<Answer> =>
      call(unix, { method: 'POST', path, body });
    expect(await post('{"v":1}')).toMatchObject({ status: 202 });
    const rejected = await post('{"bad":1}');
    expect(rejected).toMatchObject({ status: 422, type: 'application/problem+json' });
    expect((JSON.parse(rejected.text) as { errors: unknown }).errors).toEqual([
      { path: '/spec/networks/x', code: 'vni_range', message: 'network/x: VNI 0' },
    ]);
    expect((await post('{')).status).toBe(400);
    expect((await post(Buffer.from([0x22, 0xff, 0x22]))).status).toBe(400);
    expect((await post('['.repeat(1_000_000))).status).toBe(400);
    expect((await post(`"${'x'.repeat(10_000_000)}"`)).status).toBe(413);
    expect(await post('{}', '/v1/validate')).toMatchObject({ status: 200 });
  });

  test('attach and detach are parsed before anything is asked', async () => {
    const { unix } = await listen();
    const post = async (path: string, body: unknown): Promise<number> =>
      (await call(unix, { method: 'POST', path, body: JSON.stringify(body) })).status;
    const good = {
      workload: 'w',
      network: 'line1',
      sandbox: { netns: 'w1' },
      mac: '02-00-00-00-00-21',
      address: '10.0.0.1',
    };
    expect(await post('/v1/attach', good)).toBe(200);
    expect(attached).toEqual([{ ...good, sandbox: { kind: 'netns', name: 'w1' }, mac: '02:00:00:00:00:21' }]);
    for (const bad of [
      { workload: '' },
      { workload: 7 },
      { sandbox: { netns: '../../etc' } },
      { sandbox: { netns: '..' } },
      { sandbox: {} },
      { sandbox: { pid: 1.5 } },
      { sandbox: { pid: 1, netns: 'a' } },
      { sandbox: null },
      { mac: 'ff:ff:ff:ff:ff:ff' },
      { address: '10.0.0.1; ls' },
      { sandbox: { netns: 'w1\nlink del eth0' } },
      { sandbox: { netns: 'w1"' } },
      { interface: 'a/b' },
      { interface: 'a#b' },
      { interface: 'a"b' },
      { interface: 'lo' },
      { workload: 'Upper' },
      { interface: 'sixteen-letters-' },
    ]) {
      expect({ bad, status: await post('/v1/attach', { ...good, ...bad }) }).toEqual({ bad, status: 400 });
    }
    expect(attached).toHaveLength(1);
    expect(await post('/v1/attach', { ...good, network: 'none' })).toBe(404);
    expect(await post('/v1/attach', { ...good, network: 'busy' })).toBe(409);
    expect(await post('/v1/attach', { ...good, network: 'boom' })).toBe(500);
    expect(await post('/v1/attach', [])).toBe(400);
    expect(await post('/v1/detach', { workload: 'w' })).toBe(200);
    expect(await post('/v1/detach', { network: 'line1' })).toBe(400);
  });
});
