import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startGateway } from '../lab/gateway.ts';
import type { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Site, twoSites } from '../lab/sites.ts';
import { vmLab } from '../lab/vm/lab.ts';
import { until } from '../lab/wait.ts';
import { builtService } from '../netns/support/built.ts';
import { gatewayName } from '../netns/support/names.ts';

const PLANT = '10.20.0.0/24';
/** A machine of which everything is forgotten needs no folders of its own. */
const SOCKET = '/run/docker.sock';
const IMAGE = `mkdir -p /tmp/image/bin && cd /tmp/image/bin && cp /usr/bin/busybox .
for applet in sh sleep ping ip; do ln -s busybox $applet; done
tar -C /tmp/image -c . | docker --host=unix://${SOCKET} import - busybox`;
/** dockerd and each of its containers, in an emulated machine */
const SLOW_MS = 90_000;

let lab: Lab;
let site: Site;
let gateway: Namespace;

const docker = async (...args: readonly string[]): Promise<string> =>
  (await lab.run(['docker', `--host=unix://${SOCKET}`, ...args], { timeoutMs: SLOW_MS })).stdout.trim();
const run = (name: string, network: string, ip: string): Promise<string> =>
  docker('run', '-d', '--name', name, '--network', network, '--ip', ip, 'busybox', 'sleep', '100000');
const ping = async (container: string, address: string): Promise<boolean> =>
  (await docker('exec', container, 'sh', '-c', `ping -c 1 -W 2 ${address} >/dev/null && echo yes || true`)) === 'yes';
const linkOf = (container: string): Promise<string> => docker('exec', container, 'ip', 'link', 'show', 'eth0');
const create = (name: string, subnet: string, ...options: readonly string[]): Promise<string> =>
  docker('network', 'create', '-d', 'linkspan', '--subnet', subnet, ...options.flatMap((one) => ['-o', one]), name);

beforeAll(async () => {
  builtService();
  lab = await vmLab();
  site = (await twoSites(lab)).a;
  ({ gateway } = site);
  await site.switch.ip('link', 'set', 'br0', 'type', 'bridge', 'vlan_filtering', '1', 'vlan_default_pvid', '0');
  for (const vid of ['1', '110']) await site.switch.exec('bridge', 'vlan', 'add', 'vid', vid, 'dev', 'gw');
  await site.switch.exec('bridge', 'vlan', 'add', 'vid', '110', 'dev', 'plc', 'pvid', 'untagged');
  await startGateway(lab, {
    namespace: gateway,
    config: {
      gateway: gatewayName('d'),
      underlay: { address: site.underlay },
      mqtt: { url: 'mqtt://127.0.0.1:9' },
      status: { listen: '127.0.0.1:0' },
      docker: { pluginSocket: '/run/docker/plugins/linkspan.sock', engineSocket: SOCKET },
    },
  });
  await lab.run(['mount', '-t', 'cgroup2', 'cgroup2', '/sys/fs/cgroup']);
  const dockerd = await lab.process(
    gateway,
    `dockerd --host=unix://${SOCKET} --bridge=none --storage-driver=vfs --data-root=/tmp/docker`.split(' '),
  );
  await until(
    'dockerd to answer',
    async () => !dockerd.running || (await lab.machine.get(SOCKET, '/_ping')).code === 200,
    SLOW_MS,
  );
  if (!dockerd.running) throw new Error(dockerd.log());
  await lab.run(['sh', '-ec', IMAGE]);
}, 240_000);
afterAll(() => lab.close());

test('macvlan on a VLAN: a container with a MAC of its own reaches what is on it, and is reached', async () => {
  await create('hmi', PLANT, 'parent=lan0', 'vlan=110');
  await run('m1', 'hmi', '10.20.0.41');
  expect(await ping('m1', '10.20.0.10')).toBe(true);
  expect(await site.plc.reaches('10.20.0.41')).toBe(true);
  expect((await gateway.ip('-d', 'link', 'show', 'lsv-lan0.110')).stdout).toContain('vlan protocol 802.1Q id 110');
});

test('ipvlan beside macvlan on one VLAN is refused in words, and taken on another parent', async () => {
  await expect(create('beside', '10.21.0.0/24', 'parent=lan0', 'vlan=110', 'ipvlan_mode=l2')).rejects.toThrow(
    /parent lan0 carries network docker-\w+ \(macvlan, mode bridge\), and takes no other driver beside it/,
  );
  await docker('rm', '-f', 'm1');
  await docker('network', 'rm', 'hmi');
  await create('cell', PLANT, 'parent=lan0', 'vlan=110', 'ipvlan_mode=l2');
  await run('i1', 'cell', '10.20.0.41');
  await run('i2', 'cell', '10.20.0.42');
  const mac = /link\/ether (\S+)/.exec((await gateway.ip('link', 'show', 'lan0')).stdout)?.[1] ?? 'none';
  expect(await linkOf('i1')).toContain(mac);
  expect(await linkOf('i2')).toContain(mac);
  expect(await ping('i1', '10.20.0.10')).toBe(true);
  expect(await ping('i1', '10.20.0.42')).toBe(true);
  expect(await site.plc.reaches('10.20.0.42')).toBe(true);
  await expect(
    docker('run', '-d', '--network', 'cell', '--mac-address', '02:00:00:00:00:41', 'busybox', 'sleep', '9'),
  ).rejects.toThrow(/leave --mac-address off/);
});

test('l3: the container leaves by its interface, without a router', async () => {
  await docker('rm', '-f', 'i1', 'i2');
  await docker('network', 'rm', 'cell');
  await create('far', '10.77.0.0/24', 'parent=lan0', 'vlan=110', 'ipvlan_mode=l3');
  await run('f1', 'far', '10.77.0.41');
  await until('the way out', async () => (await docker('exec', 'f1', 'ip', 'route')).startsWith('default dev eth0'));
});

test('with the last of them the VLAN link goes', async () => {
  await docker('rm', '-f', 'f1');
  await docker('network', 'rm', 'far');
  const links = await gateway.ipJson<{ ifname: string }[]>('link', 'show');
  expect(links.map(({ ifname }) => ifname).filter((name) => name.startsWith('ls'))).toEqual([]);
});
