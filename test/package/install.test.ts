import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import manifest from '../../package.json' with { type: 'json' };
import { ARCHITECTURES } from '../../firmware/deb/architecture.ts';
import { run } from '../lab/exec.ts';
import { Lab } from '../lab/lab.ts';
import { DebianMachine } from '../lab/package/machine.ts';

/** Two packages are packed, and at the first call a Debian is fetched. */
const PATIENCE_MS = 600_000;
const OWN = ARCHITECTURES.find(({ npm }) => npm === process.arch)?.debian ?? '';
const UNITS = ['linkspan.service', 'linkspan-datapath.service', 'linkspan-docker.socket'];
/** A network of each kind: what the kernel forwards, and what the datapath does. */
const DOCUMENT = {
  v: 1,
  version: 1,
  spec: {
    networks: {
      line1: { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24', engine: 'user' },
      cell: { driver: 'bridge', subnet: '172.30.0.0/24' },
    },
    workloads: { historian: { sandbox: { netns: 'w1' }, networks: { line1: { address: '10.110.0.21' }, cell: {} } } },
  },
};

const fileOf = (version: string): string => `linkspan_${version}_${OWN}.deb`;
const lab = new Lab();
let machine: DebianMachine;

/** Two versions more: one with another service, and then one with another datapath too. */
async function makeSuccessors(folder: string): Promise<void> {
  const root = join(folder, 'root');
  await run(['dpkg-deb', '--raw-extract', join(folder, fileOf(manifest.version)), root]);
  const edit = (file: string, from: RegExp, to: string): void =>
    writeFileSync(join(root, file), readFileSync(join(root, file), 'utf8').replace(from, to));
  for (const version of ['90.1', '90.2']) {
    edit('DEBIAN/control', /^Version: .*/m, `Version: ${version}`);
    edit('usr/lib/linkspan/bin/linkspand.js', /$/, `// ${version}\n`);
    if (version === '90.2') edit('usr/lib/linkspan/datapath.id', /^.*/, version);
    await run(['dpkg-deb', '-Znone', '--root-owner-group', '--build', root, join(folder, fileOf(version))]);
  }
  await run(['rm', '-r', root]);
}

beforeAll(async () => {
  const packages = join(await lab.folder(), 'packages');
  mkdirSync(packages);
  cpSync(join('build/deb', fileOf(manifest.version)), join(packages, fileOf(manifest.version)));
  await makeSuccessors(packages);
  machine = await DebianMachine.create(lab, packages);
}, PATIENCE_MS);
afterAll(() => lab.close());

const install = (version: string): Promise<unknown> =>
  machine.exec('apt-get', 'install', '-y', '--no-install-recommends', `/packages/${fileOf(version)}`);
const words = async (...argv: readonly string[]): Promise<string> => (await machine.attempt(...argv)).stdout.trim();
const pidOf = (unit: string): Promise<string> => words('systemctl', 'show', '--property=MainPID', '--value', unit);
const states = async (verb: string): Promise<readonly string[]> =>
  (await words('systemctl', verb, ...UNITS)).split('\n');

/** Name and number of every interface, the gateway's and the workload's: a link that was made anew has another number. */
async function links(): Promise<string> {
  const listed = await Promise.all([words('ip', '-o', 'link'), words('ip', '-netns', 'w1', '-o', 'link')]);
  return listed.map((text) => text.replaceAll(/^(\d+: [^:@]+).*$/gm, '$1')).join('\n--\n');
}

test('installs in a root that does not run, with all that it depends on, and starts nothing', async () => {
  await install(manifest.version);
  expect(await words('linkspan', 'version')).toBe(`linkspan ${manifest.version}, service not running`);
  expect(await words('linkspand', '--config', '/etc/linkspan/linkspan.yaml', '--check')).toContain('is valid');
  expect(await words('getent', 'group', 'linkspan')).toMatch(/^linkspan:x:\d+:$/);
  expect(await words('dpkg', '--verify', 'linkspan')).toBe('');
  expect(await words('stat', '--format=%a %U:%G', '/etc/linkspan', '/etc/linkspan/linkspan.yaml')).toBe(
    '750 root:root\n644 root:root',
  );
  for (const unit of UNITS) expect(await words('systemctl', 'is-enabled', unit)).toBe('enabled');
  expect(await words('sh', '-c', 'ls -d /run/linkspan/* /var/lib/linkspan 2>/dev/null')).toBe('');
});

test('runs after a boot, and makes what a document says', async () => {
  await machine.boot();
  expect(await states('is-active')).toEqual(['active', 'active', 'active']);
  expect(await words('stat', '--format=%a %U:%G', '/run/linkspan/linkspan.sock', '/var/lib/linkspan')).toBe(
    '660 root:linkspan\n700 root:linkspan',
  );
  await machine.exec('ip', 'netns', 'add', 'w1');
  await machine.write('/root/site.json', JSON.stringify(DOCUMENT));
  await machine.exec('linkspan', 'apply', '-f', '/root/site.json', '--wait');
  const networks = await words('linkspan', 'network', 'ls');
  expect(networks).toMatch(/^line1 .* user .* ok$/m);
  expect(networks).toMatch(/^cell .* ok$/m);
});

test('an upgrade restarts the service, and nothing that forwards', async () => {
  await machine.exec('sed', '-i', 's/^#fleet: .*/fleet: plant/', '/etc/linkspan/linkspan.yaml');
  const [service, datapath, before] = [await pidOf(UNITS[0] ?? ''), await pidOf(UNITS[1] ?? ''), await links()];
  const pings = [
    'ip',
    'netns',
    'exec',
    'w1',
    'busybox',
    'ping',
    '-q',
    '-c',
    '120',
    '-i',
    '0.05',
    '-W',
    '1',
    '172.30.0.1',
  ];
  const [pinged] = await Promise.all([words(...pings), install('90.1')]);
  expect(pinged).toContain('120 packets transmitted, 120 packets received');
  expect(await states('is-active')).toEqual(['active', 'active', 'active']);
  expect(await pidOf(UNITS[0] ?? '')).not.toBe(service);
  expect(await pidOf(UNITS[1] ?? '')).toBe(datapath);
  expect(await links()).toBe(before);
  expect(await words('grep', '^fleet', '/etc/linkspan/linkspan.yaml')).toBe('fleet: plant');
  expect(await words('linkspan', 'status')).toContain('fleet    plant');
  expect(await words('ls', '/run/linkspan')).not.toContain('datapath.id');
});

test('an upgrade with another datapath restarts that too, and its interfaces stand', async () => {
  const [datapath, before] = [await pidOf(UNITS[1] ?? ''), await links()];
  await install('90.2');
  expect(await states('is-active')).toEqual(['active', 'active', 'active']);
  expect(await pidOf(UNITS[1] ?? '')).not.toBe(datapath);
  expect(await links()).toBe(before);
});

test('an upgrade starts no unit that an administrator has disabled', async () => {
  await machine.exec('systemctl', 'disable', '--now', 'linkspan-datapath.service');
  await machine.exec('apt-get', 'install', '-y', '--allow-downgrades', `/packages/${fileOf('90.1')}`);
  expect(await words('systemctl', 'is-enabled', 'linkspan-datapath.service')).toBe('disabled');
  expect(await states('is-active')).toEqual(['active', 'inactive', 'active']);
  await machine.exec('systemctl', 'enable', '--now', 'linkspan-datapath.service');
});

test('a removal takes down what Linkspan has made, and keeps configuration and state', async () => {
  await machine.exec('apt-get', 'remove', '-y', 'linkspan');
  expect(await links()).toBe('1: lo\n2: wire0\n3: eth0\n--\n1: lo');
  expect(await words('nft', 'list', 'ruleset')).toBe('');
  expect(await words('sh', '-c', 'cat /proc/[0-9]*/cmdline | grep -ac [l]inkspan/node')).toBe('0');
  expect(await words('ls', '/etc/linkspan')).toBe('linkspan.yaml');
  expect(await words('ls', '/var/lib/linkspan')).toContain('linkspan.db');
});

test('a purge leaves nothing', async () => {
  await machine.exec('apt-get', 'purge', '-y', 'linkspan');
  expect(await words('getent', 'group', 'linkspan')).toBe('');
  const found = ['find', '/', '-xdev', '-name', '*linkspan*', '-not', '-path', '/var/cache/*'];
  expect(await words(...found)).toBe('');
  expect(await words('find', '/run', '/etc', '-name', '*linkspan*')).toBe('');
});

test('installs on a machine that runs, and starts', async () => {
  await install(manifest.version);
  expect(await states('is-enabled')).toEqual(['enabled', 'enabled', 'enabled']);
  expect(await states('is-active')).toEqual(['active', 'active', 'active']);
  expect(await words('linkspan', 'status')).toContain('healthy');
});

test("this release's nftables takes all rules of the kernel's engine", async () => {
  const { line1, cell } = DOCUMENT.spec.networks;
  const networks = { line1: { address: '10.110.0.21' }, cell: { publish: ['8080:80'] } };
  const spec = {
    networks: { line1: { ...line1, engine: 'kernel' }, cell },
    workloads: { historian: { sandbox: { netns: 'w1' }, networks } },
  };
  await machine.write('/root/kernel.json', JSON.stringify({ v: 1, version: 1, spec }));
  await machine.exec('linkspan', 'apply', '-f', '/root/kernel.json', '--wait');
  expect(await words('linkspan', 'network', 'ls')).toMatch(/^line1 .* kernel .* ok$/m);
  expect(await words('linkspan', 'status')).toContain('healthy');
  expect(await words('nft', 'list', 'tables')).toContain('table inet linkspan-vteps');
});
