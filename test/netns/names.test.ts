import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Asked, asker, dig } from '../lab/dig.ts';
import { dockerLikeResolver, startNameServer } from '../lab/docker-resolver.ts';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import type { LabProcess } from '../lab/process.ts';
import { type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply, documentText, type Spec, workload } from './support/documents.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';

const GW_A = gatewayName('a');
const GW_B = gatewayName('b');
const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24', subnet6: 'fd00:110::/64' };
const OTHER = { driver: 'overlay', vni: 10_120, subnet: '10.120.0.0/24' };
const CELL = { driver: 'bridge', subnet: '172.30.0.0/24' };
const UPSTREAM = '192.0.2.7';

describe('names at two sites', () => {
  const lab = new Lab();
  let sites: Sites;
  let fleet: FleetBroker;
  let a: Gateway;
  let b: Gateway;
  let app: Namespace;
  let alone: Namespace;
  let upstream: LabProcess;
  let specB: Spec;
  let resolvConf: string;

  beforeAll(async () => {
    builtService();
    sites = await twoSites(lab);
    fleet = await startBroker(lab, sites.a.gateway, sites.a.underlay);
    const { url } = fleet.broker;
    resolvConf = join(await lab.folder(), 'resolv.conf');
    await writeFile(resolvConf, 'search example.com\nnameserver 127.0.0.2\n');
    upstream = await startNameServer(lab, sites.a.gateway, '127.0.0.2', ['53', '53'], UPSTREAM);
    const config = (gateway: string, address: string): Record<string, unknown> => ({
      gateway,
      fleet: 'plant',
      underlay: { address },
      mqtt: { url },
      status: { listen: '127.0.0.1:0' },
      names: { resolvConf },
    });
    a = await startGateway(lab, { namespace: sites.a.gateway, config: config(GW_A, sites.a.underlay) });
    b = await startGateway(lab, { namespace: sites.b.gateway, config: config(GW_B, sites.b.underlay) });
    const local = await sites.a.workload('local');
    app = await sites.a.workload('app');
    alone = await sites.a.workload('alone');
    const [db, second, other] = [
      await sites.b.workload('db'),
      await sites.b.workload('second'),
      await sites.b.workload('other'),
    ];
    const specA = {
      networks: { line: LINE, other: OTHER, cell: CELL },
      workloads: {
        app: workload(app, { line: { address: '10.110.0.11' }, cell: { address: '172.30.0.11' } }),
        local: workload(local, { line: { address: '10.110.0.12', aliases: ['both'] }, cell: {} }),
        alone: workload(alone, { cell: { address: '172.30.0.13' } }),
      },
    };
    specB = {
      networks: { line: LINE, other: OTHER },
      workloads: {
        db: workload(db, { line: { address: '10.110.0.21', address6: 'fd00:110::21', aliases: ['Store', 'both'] } }),
        second: workload(second, { line: { address: '10.110.0.22', aliases: ['store', 'tags.plant'] } }),
        secret: workload(other, { other: { address: '10.120.0.23' } }),
      },
    };
    await fleet.operator.apply(GW_A, documentText(1, specA));
    await fleet.operator.apply(GW_B, documentText(1, specB));
    await until('the name of the other site', async () => (await dig(app, 'db')).data[0] === '10.110.0.21');
  });
  afterAll(() => lab.close());

  test('a workload at the other site, by name, alias, name.network, and in any case', async () => {
    expect(await dig(app, 'db')).toMatchObject({ status: 'NOERROR', data: ['10.110.0.21'] });
    expect((await dig(app, 'dB.LINE')).data).toEqual(['10.110.0.21']);
    expect((await dig(app, 'db', 'AAAA')).data).toEqual(['fd00:110::21']);
    expect((await dig(app, 'tags.plant')).data).toEqual(['10.110.0.22']);
    expect((await dig(app, 'tags.plant.line')).data).toEqual(['10.110.0.22']);
    expect((await dig(app, 'db', '+tcp')).data).toEqual(['10.110.0.21']);
    expect((await dig(app, 'db', '+noedns')).flags).toEqual(expect.arrayContaining(['qr', 'aa', 'rd', 'ra']));
  });

  test('the C library and busybox resolve it, and it answers', async () => {
    const etc = join(await lab.folder(), 'resolv.conf');
    await writeFile(etc, 'nameserver 127.0.0.11\noptions ndots:0\n');
    const script = 'mount --bind "$0" /etc/resolv.conf && "$@"';
    const through = (...argv: readonly string[]): ReturnType<Namespace['exec']> =>
      app.exec('unshare', '-m', 'sh', '-ec', script, etc, ...argv);
    expect((await through('getent', 'ahostsv4', 'db')).stdout).toMatch(/^10\.110\.0\.21 /);
    expect((await through('busybox', 'nslookup', 'db.line')).stdout).toContain('10.110.0.21');
    expect((await through('ping', '-c', '1', '-W', '2', 'store')).stdout).toMatch(/1 received/);
  });

  test('an alias that several have is all of their addresses, by turns first; a local one comes before remote ones', async () => {
    const firsts = new Set<string>();
    for (let n = 0; n < 4; n += 1) {
      const { data } = await dig(app, 'store');
      expect(data.toSorted()).toEqual(['10.110.0.21', '10.110.0.22']);
      firsts.add(data[0] ?? '');
    }
    expect(firsts.size).toBe(2);
    expect((await dig(app, 'both')).data).toEqual(['10.110.0.12']);
  });

  test('reverse', async () => {
    expect((await dig(app, '-x', '10.110.0.21')).data).toEqual(['db.line.']);
    expect((await dig(app, '-x', 'fd00:110::21')).data).toEqual(['db.line.']);
    expect((await dig(app, '-x', '172.30.0.13')).data).toEqual(['alone.cell.']);
  });

  test('a name of ours without such a record is an empty answer, and nobody else is asked', async () => {
    for (const type of ['AAAA', 'MX', 'HTTPS', 'TXT']) {
      expect(await dig(app, 'second', type)).toMatchObject({ status: 'NOERROR', data: [] });
    }
  });

  test('only names of the asker’s own networks are answered', async () => {
    expect((await dig(app, 'secret')).data).toEqual([UPSTREAM]);
    expect((await dig(alone, 'db')).data).toEqual([UPSTREAM]);
    expect((await dig(alone, 'app')).data).toEqual(['172.30.0.11']);
    expect((await dig(app, 'app')).data).toEqual(['10.110.0.11']);
    expect((await dig(app, 'app.cell')).data).toEqual(['172.30.0.11']);
  });

  test('what is no name of ours goes to the host’s name server, by UDP and TCP', async () => {
    expect(await dig(app, 'www.example.com')).toMatchObject({ status: 'NOERROR', data: [UPSTREAM] });
    expect((await dig(app, 'www.example.com', '+tcp')).data).toEqual([UPSTREAM]);
    expect((await dig(app, 'none.example.com')).status).toBe('NXDOMAIN');
    expect((await dig(app, 'big.example.com')).data).toHaveLength(60);
    expect((await dig(app, 'big.example.com', '+ignore')).flags).toContain('tc');
  });

  test('200 at once', async () => {
    const { stdout } = await app.exec(...asker(200, 0, 'db', 'store', 'www.example.com', 'local'));
    expect(JSON.parse(stdout)).toMatchObject({ count: 200, failed: 0 });
  });

  test('hostile packets end nothing', async () => {
    const noise = ['', '\0', 'x'.repeat(700), '\0\0\x01\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01', '\xff'.repeat(20)];
    for (const packet of noise) {
      await app.attempt('sh', '-c', 'printf "%b" "$0" | socat -t0.1 - UDP:127.0.0.11:53', escaped(packet));
      await app.attempt('sh', '-c', 'printf "%b" "$0" | socat -t0.1 - TCP:127.0.0.11:53', escaped(packet));
    }
    expect((await dig(app, 'db')).data).toEqual(['10.110.0.21']);
    expect((await dig(app, 'db', '+tcp')).data).toEqual(['10.110.0.21']);
  });

  test('a workload that serves DNS itself finds port 53 free', async () => {
    const own = await startNameServer(lab, app, '0.0.0.0', ['53', '53'], '192.0.2.99');
    expect((await dig(app, 'db')).data).toEqual(['10.110.0.21']);
    const { stdout } = await app.exec('dig', '@127.0.0.1', '+short', '+tries=1', 'db');
    expect(stdout.trim()).toBe('192.0.2.99');
    await own.stop();
  });

  test('a name is gone a second after its workload', async () => {
    const extra = { ...specB.workloads };
    delete extra['db'];
    await fleet.operator.apply(GW_B, documentText(2, { ...specB, workloads: extra }));
    const started = performance.now();
    await until('the name to be gone', async () => (await dig(app, 'db')).data[0] === UPSTREAM);
    expect(performance.now() - started).toBeLessThan(1500);
    await fleet.operator.apply(GW_B, documentText(3, specB));
    await until('the name to be back', async () => (await dig(app, 'db')).data[0] === '10.110.0.21');
  });

  test('without a name server names of ours go on; all others fail within five seconds', async () => {
    await writeFile(resolvConf, 'nameserver 127.0.0.3\nnameserver 198.51.100.77\n');
    expect((await dig(app, 'db')).data).toEqual(['10.110.0.21']);
    const started = performance.now();
    expect((await dig(app, 'www.example.com', '+time=6')).status).toBe('SERVFAIL');
    expect(performance.now() - started).toBeLessThan(5000);
    await writeFile(resolvConf, 'nameserver 127.0.0.3\nnameserver 127.0.0.2\n');
    expect((await dig(app, 'www.example.com')).data).toEqual([UPSTREAM]);
    await upstream.stop();
  });

  test('without the broker names stay, through a restart as well', async () => {
    await fleet.broker.kill9();
    await until('the gateway to notice', async () => !(await a.status()).broker.connected);
    expect((await dig(app, 'db')).data).toEqual(['10.110.0.21']);
    await a.kill9();
    const { stdout } = await app.exec('nft', 'list', 'ruleset');
    expect(stdout).toBe('');
    const { url } = fleet.broker;
    const config = { gateway: GW_A, fleet: 'plant', underlay: { address: sites.a.underlay }, mqtt: { url } };
    a = await startGateway(lab, {
      namespace: sites.a.gateway,
      dir: a.dir,
      config: { ...config, status: { listen: '127.0.0.1:0' }, names: { resolvConf } },
    });
    await until('the name again', async () => (await dig(app, 'db')).data[0] === '10.110.0.21');
    expect((await b.status()).health.reasons).toEqual([]);
  });
});

describe('a container with Docker’s own resolver', () => {
  const lab = new Lab();
  const DOCKER = '192.0.2.53';
  let container: Namespace;
  let gateway: Gateway;

  beforeAll(async () => {
    builtService();
    const host = await lab.namespace('dhost');
    await host.batch(['link add wan0 type bridge', 'address add 198.51.100.1/24 dev wan0', 'link set wan0 up']);
    container = await lab.namespace('dcont');
    await dockerLikeResolver(lab, container, DOCKER);
    const config = { gateway: GW_A, fleet: 'plant', underlay: { address: '198.51.100.1' }, mqtt: { url: '' } };
    const listen = { listen: '127.0.0.1:0' };
    gateway = await startGateway(lab, { namespace: host, config: { ...config, status: listen } });
  });
  afterAll(() => lab.close());

  const attach = async (): Promise<void> => {
    const other = await lab.namespace('dother');
    const spec = {
      networks: { cell: CELL },
      workloads: {
        hmi: workload(container, { cell: { address: '172.30.0.11' } }),
        db: workload(other, { cell: { address: '172.30.0.12' } }),
      },
    };
    await apply(gateway, 1, spec);
    await until('names in the container', async () => (await dig(container, 'db')).data[0] === '172.30.0.12');
  };

  test('names of ours are answered by us, all others by Docker’s', async () => {
    expect((await dig(container, 'db')).data).toEqual([DOCKER]);
    await attach();
    expect((await dig(container, 'db', '+tcp')).data).toEqual(['172.30.0.12']);
    expect((await dig(container, 'web')).data).toEqual([DOCKER]);
    expect((await dig(container, 'web', '+tcp')).data).toEqual([DOCKER]);
    expect((await dig(container, 'none.web')).status).toBe('NXDOMAIN');
  });

  test('SIGKILL of the service: no query fails, not even one of the same socket', async () => {
    const program = await lab.process(container, asker(400, 10, 'web'));
    await delay(1500);
    await gateway.kill9();
    expect((await container.exec('nft', 'list', 'tables', 'ip')).stdout).not.toContain('linkspan');
    await program.exited;
    const { count, failed, slowestMs } = JSON.parse(program.log()) as Asked;
    expect({ count, failed }).toEqual({ count: 400, failed: 0 });
    expect(slowestMs).toBeLessThan(1000);
    expect((await dig(container, 'db')).data).toEqual([DOCKER]);
    expect((await dig(container, 'web', '+tcp')).data).toEqual([DOCKER]);
  });
});

describe('where the resolver cannot stand as usual', () => {
  const lab = new Lab();
  const TABLE = ['add', 'table', 'ip', 'linkspan-names'];
  let host: Namespace;
  let gateway: Gateway;
  let version = 0;

  beforeAll(async () => {
    builtService();
    host = await lab.namespace('ehost');
    await host.batch(['link add wan0 type bridge', 'address add 198.51.100.1/24 dev wan0', 'link set wan0 up']);
    const config = { gateway: GW_A, fleet: 'plant', underlay: { address: '198.51.100.1' }, mqtt: { url: '' } };
    gateway = await startGateway(lab, { namespace: host, config: { ...config, status: { listen: '127.0.0.1:0' } } });
  });
  afterAll(() => lab.close());

  const only = (namespace: Namespace): Promise<void> =>
    apply(gateway, (version += 1), {
      networks: { cell: CELL },
      workloads: { db: workload(namespace, { cell: { address: '172.30.0.12' } }) },
    });
  const problem = async (): Promise<string> => (await gateway.status()).endpoints[0]?.problem ?? '';

  test('a container whose kernel takes no redirect keeps Docker’s names, and it is said', async () => {
    const container = await lab.namespace('econt');
    await dockerLikeResolver(lab, container, '192.0.2.53');
    await container.exec('nft', ...TABLE);
    await only(container);
    await until('the problem', async () => (await problem()).includes('names of workloads do not resolve in it'));
    expect((await dig(container, 'db')).data).toEqual(['192.0.2.53']);
  });

  test('a namespace without redirect is served at port 53 itself', async () => {
    const plain = await lab.namespace('eplain');
    await plain.exec('nft', ...TABLE);
    await only(plain);
    await until('the name', async () => (await dig(plain, 'db')).data[0] === '172.30.0.12');
    expect((await dig(plain, 'db', '+tcp')).data).toEqual(['172.30.0.12']);
    expect(await problem()).toBe('');
  });

  test('somebody else’s resolver at the very address is left alone, and it is said', async () => {
    const taken = await lab.namespace('etaken');
    await startNameServer(lab, taken, '127.0.0.11', ['53', '53'], '192.0.2.99');
    await only(taken);
    await until('the problem', async () => (await problem()).includes('is left alone'));
    expect((await dig(taken, 'db')).data).toEqual(['192.0.2.99']);
  });

  test('a sandbox that goes is not kept alive by its resolver, and its successor has one', async () => {
    const short = await lab.namespace('eshort');
    await only(short);
    await until('the name', async () => (await dig(short, 'db')).data[0] === '172.30.0.12');
    const veths = async (): Promise<number> => (await host.ipJson<unknown[]>('link', 'show', 'type', 'veth')).length;
    expect(await veths()).toBe(1);
    await host.exec('ip', 'netns', 'delete', short.name);
    const started = performance.now();
    await until('its interface to be gone', async () => (await veths()) === 0);
    expect(performance.now() - started).toBeLessThan(800);
    await host.exec('ip', 'netns', 'add', short.name);
    await until('the name again', async () => (await dig(short, 'db')).data[0] === '172.30.0.12', 20_000);
  });
});

function escaped(text: string): string {
  return Buffer.from(text, 'latin1')
    .toString('hex')
    .replaceAll(/../g, (byte) => `\\x${byte}`);
}
