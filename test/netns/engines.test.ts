import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { linkName } from '../../src/drivers/naming.ts';
import { type Datapath, startDatapath } from '../lab/datapath.ts';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { PingStream } from '../lab/ping.ts';
import type { LabProcess } from '../lab/process.ts';
import { type Site, type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply, applyText, documentText, type Spec, workload } from './support/documents.ts';
import { kernelState } from './support/kernel-state.ts';
import { gatewayName } from './support/names.ts';

const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24', subnet6: 'fd00:110::/64' };

type End = {
  readonly name: string;
  readonly site: Site;
  readonly gateway: Gateway;
  readonly datapath: Datapath;
  readonly workload: Namespace;
};

let lab: Lab;
let sites: Sites;
let a: End;
let b: End;

beforeEach(async () => {
  builtService();
  lab = new Lab();
  sites = await twoSites(lab);
  a = await start(sites.a, 'a', '');
  b = await start(sites.b, 'b', `mqtt://${sites.a.underlay}:1883`);
});
afterEach(() => lab.close());

/** A gateway with both of its processes. */
async function start(site: Site, name: string, url: string): Promise<End> {
  const dir = await lab.folder();
  const datapath = await startDatapath(lab, site.gateway, { dir });
  const mqtt = url === '' ? { url, embedded: { listen: `${site.underlay}:1883` } } : { url };
  const config = {
    gateway: gatewayName(name),
    underlay: { address: site.underlay },
    mqtt,
    status: { listen: '127.0.0.1:0' },
    datapath: { socket: datapath.socket },
  };
  const gateway = await startGateway(lab, { namespace: site.gateway, dir, config });
  return { name: `w-${name}`, site, gateway, datapath, workload: await site.workload('w1') };
}

const addressOf = (end: End): string => (end === a ? '10.110.0.11' : '10.110.0.21');
const sixOf = (end: End): string => (end === a ? 'fd00:110::11' : 'fd00:110::21');

function documentOf(end: End, engine: string): Spec {
  const networks = { line: { address: addressOf(end), address6: sixOf(end) } };
  return { networks: { line: { ...LINE, engine } }, workloads: { [end.name]: workload(end.workload, networks) } };
}

async function engineOf(end: End): Promise<string | null | undefined> {
  return (await end.gateway.status()).networks[0]?.engine;
}

const reach = (end: End, other: End): Promise<unknown> =>
  until(`${end.gateway.socket} to reach the other site`, async () => {
    return (await end.workload.reaches(addressOf(other))) && (await end.workload.reaches(sixOf(other)));
  });

/** A TCP stream of iperf3 that goes on through what a test does; a broken connection is a non-zero exit. */
async function startStream(seconds: number): Promise<LabProcess> {
  const server = await lab.process(b.workload, ['iperf3', '--server', '--one-off', '--forceflush']);
  await until('iperf3 to listen', () => server.log().includes('Server listening'));
  const client = await lab.process(a.workload, [
    'iperf3',
    '--client',
    addressOf(b),
    '--time',
    String(seconds),
    '--bitrate',
    '200M',
    '--forceflush',
    '--json',
  ]);
  await until(
    'the stream to run',
    async () => (await a.workload.exec('ss', '-Htn', 'state', 'established')).stdout !== '',
  );
  return client;
}

test.each([
  ['user', 'user'],
  ['user', 'kernel'],
  ['kernel', 'user'],
])('two sites, %s and %s', async (engineA, engineB) => {
  // A veth claims to offload what is inside a tunnel, and hands packets over with checksums that nobody finished.
  for (const end of [a, b]) await end.site.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
  await apply(a.gateway, 1, documentOf(a, engineA));
  await apply(b.gateway, 1, documentOf(b, engineB));
  await reach(a, b);
  await reach(b, a);
  expect([await engineOf(a), await engineOf(b)]).toEqual([engineA, engineB]);
  const client = await startStream(1);
  expect(await client.exited).toBe(0);
});

test('without the datapath’s process the network waits, says so, and stands once it comes', async () => {
  await a.datapath.process.stop();
  const { code } = await a.gateway.cli('apply', '-f', await file(a, documentOf(a, 'user')));
  expect(code).toBe(0);
  await until('it to be told', async () =>
    (await a.gateway.status()).networks[0]?.problem?.includes('linkspan-datapath'),
  );
  await startDatapath(lab, a.site.gateway, { dir: a.datapath.dir });
  await until('it to stand', async () => (await a.gateway.status()).networks[0]?.problem === null);
});

test('a change of engine under a running workload: its routes and addresses stay, and no connection breaks', async () => {
  for (const end of [a, b]) await end.site.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
  await apply(a.gateway, 1, documentOf(a, 'kernel'));
  await apply(b.gateway, 1, documentOf(b, 'kernel'));
  await reach(a, b);
  await a.workload.batch(['address add 192.0.2.9/24 dev eth0', 'route add 203.0.113.0/24 via 192.0.2.1 dev eth0']);
  const standing = async (): Promise<unknown> => {
    const [link] = await a.workload.ipJson<{ address: string }[]>('link', 'show', 'eth0');
    const addresses = await a.workload.ipJson<{ addr_info: { local: string; scope: string }[] }[]>(
      'address',
      'show',
      'eth0',
    );
    const routes = await a.workload.ipJson<{ dst: string; gateway?: string }[]>('route', 'show');
    return {
      mac: link?.address,
      addresses: addresses[0]?.addr_info.map(({ local }) => local).toSorted(),
      routes: routes.map(({ dst, gateway }) => `${dst} ${gateway ?? ''}`).toSorted(),
    };
  };
  const before = await standing();
  const client = await startStream(8);
  for (const [version, engine] of [
    [2, 'user'],
    [3, 'kernel'],
    [4, 'user'],
  ] as const) {
    await apply(a.gateway, version, documentOf(a, engine));
    await reach(a, b);
    expect(await engineOf(a)).toBe(engine);
    expect(await standing()).toEqual(before);
  }
  expect(await client.exited).toBe(0);
}, 60_000);

test('a workload that cannot be moved to the other engine is cut off alone, is told, and comes after', async () => {
  for (const end of [a, b]) await end.site.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
  const stuck = await a.site.workload('w2');
  const spec = (engine: string): Spec => {
    const whole = documentOf(a, engine);
    const more = { stuck: workload(stuck, { line: { address: '10.110.0.12' } }) };
    return { ...whole, workloads: { ...whole.workloads, ...more } };
  };
  await apply(a.gateway, 1, spec('kernel'));
  await apply(b.gateway, 1, documentOf(b, 'kernel'));
  await reach(a, b);
  await until('the other to reach it too', () => stuck.reaches(addressOf(b)));
  // Somebody's interface has the name that the new one would have on its way in.
  const temporary = linkName('lst', 'stuck/line');
  await stuck.ip('link', 'add', temporary, 'type', 'bridge');
  await applyText(a.gateway, documentText(2, spec('user')));
  await until('the datapath to carry', async () => (await a.datapath.status()).underlay.ok);
  await reach(a, b);
  const told = await until('it to be told', async () => {
    const { endpoints } = await a.gateway.status();
    return endpoints.find((endpoint) => endpoint.workload === 'stuck' && endpoint.state === 'failed')?.problem;
  });
  expect(told).toMatch(/rename or delete lst-stuck.*lsx-line is down.*mend its cause/s);
  expect((await a.gateway.get('/v1/events?once=1')).body).toContain('endpoint.failed');
  expect((await stuck.ip('address', 'show', 'eth0')).stdout).toContain('10.110.0.12/24');
  await stuck.ip('link', 'delete', temporary);
  await until('it to reach the other site again', () => stuck.reaches(addressOf(b)), 60_000);
  await until('nothing to be left of the device', async () => {
    return !(await a.site.gateway.ip('link', 'show')).stdout.includes('lsx-line');
  });
  expect((await a.gateway.status()).networks[0]?.problem).toBeNull();
}, 120_000);

test('the service killed 50 times under a stream: no connection breaks and no frame is lost to it', async () => {
  await apply(a.gateway, 1, documentOf(a, 'user'));
  await apply(b.gateway, 1, documentOf(b, 'user'));
  await reach(a, b);
  const client = await startStream(30);
  const pings = await PingStream.start(lab, b.workload, addressOf(a));
  let service = a.gateway;
  for (let kill = 0; kill < 50; kill += 1) {
    await service.kill9();
    service = await startGateway(lab, {
      namespace: a.site.gateway,
      dir: a.gateway.dir,
      config: JSON.parse((await a.site.gateway.exec('cat', `${a.gateway.dir}/linkspand.json`)).stdout) as Record<
        string,
        unknown
      >,
    });
  }
  const { lost, sent } = await pings.stop();
  expect({ lost, enough: sent > 500 }).toEqual({ lost: 0, enough: true });
  expect(await client.exited).toBe(0);
  expect((await service.status()).networks[0]).toMatchObject({ engine: 'user', problem: null });
}, 240_000);

test('removed from the document, nothing of it is left', async () => {
  const before = await kernelState(a.site.gateway, [a.workload]);
  await apply(a.gateway, 1, documentOf(a, 'user'));
  await until('it to carry', async () => (await a.datapath.status()).networks[0]?.ok);
  await apply(a.gateway, 2, {});
  await until('the datapath to carry nothing', async () => (await a.datapath.status()).networks.length === 0);
  expect(await kernelState(a.site.gateway, [a.workload])).toEqual(before);
});

async function file(end: End, spec: Spec): Promise<string> {
  const path = `${end.gateway.dir}/late.json`;
  await end.site.gateway.exec(
    'sh',
    '-c',
    `printf '%s' "$1" >"$2"`,
    'sh',
    JSON.stringify({ v: 1, version: 1, spec }),
    path,
  );
  return path;
}
