import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ENGINES } from '../lab/docker-engines.ts';
import { Dockerd } from '../lab/dockerd.ts';
import { DockerNode } from '../lab/dockerd-node.ts';
import { run } from '../lab/exec.ts';
import { Lab, withLab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { LabProcess } from '../lab/process.ts';
import { until } from '../lab/wait.ts';
import { machineState, processesIn, running } from './support/leftovers.ts';
import { recordingDriver } from './support/plugin.ts';

const CHILD = fileURLToPath(new URL('lab.child.ts', import.meta.url));
/** Ends as soon as it is told to, which a command that is process 1 of its container would not. */
const IDLE = ['--init', 'busybox', 'sleep', '1000'];
const COMPOSE = `
services:
  db: { image: busybox, init: true, command: sleep 1000 }
  app: { image: busybox, init: true, command: sleep 1000 }
`;

const majorOf = (version: string): number => Number(version.split('.')[0]);

describe.each(ENGINES)('the lab with Docker of %s', (engine) => {
  let lab: Lab;
  let plant: Namespace;
  let gateway: Namespace;
  let node: DockerNode;
  let dockerd: Dockerd;
  const docker = (...args: readonly string[]): Promise<string> => dockerd.docker(...args);
  const pidOf = async (name: string): Promise<number> =>
    Number(await docker('inspect', '--format', '{{.State.Pid}}', name));
  const addressOf = (name: string): Promise<string> =>
    docker('inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', name);

  beforeAll(async () => {
    lab = new Lab();
    gateway = await lab.namespace(engine);
    plant = await lab.namespace(`${engine}-plant`);
    await lab.veth(gateway, 'lan0', plant, 'eth0');
    await plant.ip('address', 'add', '10.20.0.10/24', 'dev', 'eth0');
    node = await DockerNode.create(lab, gateway);
    dockerd = await Dockerd.start(node, { engine });
  }, 120_000);
  afterAll(() => lab.close());

  test('is the release that it should be, in client and server', async () => {
    const versions = await docker('version', '--format', '{{.Client.Version}} {{.Server.Version}}');
    const [client = '', server = ''] = versions.split(' ');
    expect(client).toBe(server);
    if (engine === 'bookworm') expect(server).toMatch(/^20\.10\./);
    else expect(majorOf(server)).toBeGreaterThanOrEqual(26);
    const info = await docker('info', '--format', '{{.Driver}} {{.CgroupDriver}} {{.DockerRootDir}}');
    expect(info).toBe(`${node.storageDriver} cgroupfs ${node.folder}/docker`);
  });

  test('a container without a network has only its loopback, and its own root', async () => {
    const seen = await docker('run', '--rm', '--network', 'none', 'busybox', 'sh', '-c', 'ls /sys/class/net; ls /');
    expect(seen.split('\n')).toEqual(['lo', 'bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp']);
    await docker('run', '-d', '--name', 'own-root', '--network', 'none', ...IDLE);
    // Where the engine's root were not that of its mount namespace, this would be the machine's.
    expect((await docker('exec', 'own-root', 'ls', '/')).split('\n')).not.toContain('usr');
    expect(await processesOfCgroup(node.cgroup)).toContain(await pidOf('own-root'));
  });

  test("on Docker's default bridge two containers reach each other, and on another one by name", async () => {
    await docker('run', '-d', '--name', 'b1', ...IDLE);
    await docker('run', '--rm', 'busybox', 'ping', '-c', '1', '-W', '2', await addressOf('b1'));
    await docker('network', 'create', 'cell');
    await docker('run', '-d', '--name', 'b2', '--network', 'cell', ...IDLE);
    await docker('run', '--rm', '--network', 'cell', 'busybox', 'ping', '-c', '1', '-W', '2', 'b2');
    const apart = await dockerd.attempt('exec', 'b2', 'ping', '-c', '1', '-W', '1', await addressOf('b1'));
    expect(apart.code).not.toBe(0);
    expect((await gateway.exec('nft', 'list', 'ruleset')).stdout).toContain('DOCKER');
  });

  test("on Docker's macvlan two containers reach each other and the plant", async () => {
    const subnet = ['--subnet', '10.20.0.0/24', '--ip-range', '10.20.0.128/25'];
    await docker('network', 'create', '-d', 'macvlan', ...subnet, '-o', 'parent=lan0', 'hmi');
    await docker('run', '-d', '--name', 'm1', '--network', 'hmi', ...IDLE);
    await docker('run', '-d', '--name', 'm2', '--network', 'hmi', ...IDLE);
    await docker('exec', 'm2', 'ping', '-c', '1', '-W', '2', await addressOf('m1'));
    await docker('exec', 'm2', 'ping', '-c', '1', '-W', '2', '10.20.0.10');
    expect(await plant.reaches(await addressOf('m2'))).toBe(true);
  });

  test('a published port answers inside the namespace', async () => {
    const serve = 'echo plain >/tmp/index.html; httpd -f -p 80 -h /tmp';
    await docker('run', '-d', '--name', 'p1', '--init', '-p', '8080:80', 'busybox', 'sh', '-c', serve);
    await gateway.ip('address', 'add', '10.20.0.1/24', 'dev', 'lan0');
    const program = "fetch('http://10.20.0.1:8080/').then((answer) => answer.text()).then(console.log)";
    expect((await plant.exec(process.execPath, '-e', program)).stdout.trim()).toBe('plain');
  });

  test('a driver in the plugins folder is found; once a container runs, its sandbox is reachable inside', async () => {
    const calls = await recordingDriver(lab, node, `probe-${engine}`);
    await docker('network', 'create', '-d', `probe-${engine}`, '--subnet', '10.90.0.0/24', 'probed');
    await docker('run', '-d', '--name', 'probe', '--network', 'probed', ...IDLE);
    const sandbox = String(calls.find(({ path }) => path === '/NetworkDriver.Join')?.body['SandboxKey']);
    const { stdout } = await run(node.inside(['nsenter', `--net=${sandbox}`, 'readlink', '/proc/self/ns/net']));
    expect(stdout).toBe((await run(['readlink', `/proc/${await pidOf('probe')}/ns/net`])).stdout);
    await docker('rm', '-f', 'probe');
    const gone = await run(node.inside(['nsenter', `--net=${sandbox}`, 'true']), { allowFailure: true });
    expect(gone.code).not.toBe(0);
    const paths = calls.map(({ path }) => path);
    expect(paths[0]).toBe('/Plugin.Activate');
    expect(paths.indexOf('/NetworkDriver.Leave')).toBeGreaterThan(paths.indexOf('/NetworkDriver.Join'));
    // What differs between the engines, so that both kinds are met by whoever tests here.
    expect(calls[0]?.host).toBe(engine === 'bookworm' ? '' : 'plugin.moby.localhost');
  });

  test('dockerd is killed alone, and takes its containers up when it starts again', async () => {
    await docker('run', '-d', '--name', 'always', '--restart', 'always', ...IDLE);
    const before = await pidOf('always');
    const view = await run(node.inside(['readlink', '/proc/self/ns/mnt']));
    await dockerd.kill9();
    expect(await running([before])).toEqual([before]);
    expect((await dockerd.attempt('ps')).code).not.toBe(0);
    await dockerd.restart();
    await until('the container to run again', async () => (await pidOf('always')) > 0, 20_000);
    expect(await pidOf('always')).not.toBe(before);
    expect((await run(node.inside(['readlink', '/proc/self/ns/mnt']))).stdout).toBe(view.stdout);
    await docker('exec', 'always', 'true');
  });

  test('with live restore a container outlives dockerd', async () => {
    await dockerd.restart({ args: ['--live-restore'] });
    const before = await pidOf('always');
    await dockerd.restart();
    expect(await pidOf('always')).toBe(before);
    await dockerd.restart({ args: [] });
    expect(await running([before])).toEqual([]);
  });

  test('compose brings a file up and takes it down', async () => {
    const folder = join(node.folder, 'project');
    await mkdir(folder);
    await writeFile(join(folder, 'compose.yaml'), COMPOSE);
    await dockerd.compose(folder, 'up', '-d');
    await docker('exec', 'project-app-1', 'ping', '-c', '1', '-W', '2', 'db');
    await dockerd.compose(folder, 'down');
    expect(await docker('ps', '-a', '--filter', 'name=project', '--format', '{{.Names}}')).toBe('');
    expect(await docker('network', 'ls', '--filter', 'name=project', '--format', '{{.Name}}')).toBe('');
  });

  test('after a crash of everything the next start has the same images and containers', async () => {
    const container = await pidOf('always');
    await dockerd.crash();
    expect(await running([container])).toEqual([]);
    await dockerd.restart();
    await until('the container to run again', async () => (await pidOf('always')) > 0, 20_000);
    expect(await docker('image', 'ls', '--format', '{{.Repository}}')).toBe('busybox');
  });
});

test('one node goes from the old engine to the new one, with what it has', async () => {
  await withLab(async (lab) => {
    const node = await DockerNode.create(lab, await lab.namespace('upgrade'));
    const dockerd = await Dockerd.start(node, { engine: 'bookworm' });
    await dockerd.docker('run', '-d', '--name', 'kept', '--restart', 'always', ...IDLE);
    await dockerd.restart({ engine: 'newer' });
    expect(majorOf(await dockerd.docker('version', '--format', '{{.Server.Version}}'))).toBeGreaterThanOrEqual(26);
    await until('the container to run', async () => (await dockerd.attempt('exec', 'kept', 'true')).code === 0);
  });
});

describe.each(ENGINES)('of a lab with Docker of %s nothing is left', (engine) => {
  test('after its close, with containers running', async () => {
    const before = await machineState(process.pid);
    let pids: readonly number[] = [];
    let folder = '';
    await withLab(async (lab) => {
      const gateway = await lab.namespace('left');
      const node = await DockerNode.create(lab, gateway);
      folder = node.folder;
      const dockerd = await Dockerd.start(node, { engine });
      await dockerd.docker('run', '-d', '--name', 'c1', '-p', '8080:80', 'busybox', 'sleep', '1000');
      await dockerd.docker('run', '-d', '--name', 'c2', '--network', 'none', 'busybox', 'sleep', '1000');
      await dockerd.docker('pause', 'c2');
      const containers = await dockerd.docker('inspect', '--format', '{{.State.Pid}}', 'c1', 'c2');
      pids = [...(await processesIn(gateway.name)), ...containers.split('\n').map(Number)];
      expect(await running(pids)).toEqual(pids);
      const during = (await machineState(process.pid)).filter((line) => !before.includes(line));
      expect(during.map((line) => line.split(' ')[0])).not.toContain('mount');
      expect(during).toEqual(
        expect.arrayContaining([expect.stringMatching(/^cgroup/), expect.stringMatching(/^netns/)]),
      );
    });
    expect(pids.length).toBeGreaterThan(8);
    expect(await running(pids)).toEqual([]);
    expect(existsSync(folder)).toBe(false);
    expect(await machineState(process.pid)).toEqual(before);
  });

  test('after its process was killed', async () => {
    const before = await machineState(-1);
    const child = await LabProcess.start([process.execPath, CHILD, engine]);
    await until('the lab of another process to stand', () => !child.running || child.log().includes('\n'), 60_000);
    expect(child.running ? '' : child.log()).toBe('');
    const { folder, pids } = JSON.parse(child.log()) as { readonly folder: string; readonly pids: readonly number[] };
    expect(await running(pids)).toEqual(pids);
    await child.kill9();
    await until('its processes to end', async () => (await running(pids)).length === 0, 20_000);
    const after = async (): Promise<readonly string[]> =>
      (await machineState(child.pid)).filter((line) => !before.includes(line));
    await until('its traces to go', async () => (await after()).length === 0 && !existsSync(folder), 20_000);
  });
});

async function processesOfCgroup(name: string): Promise<readonly number[]> {
  const find = ['find', '/sys/fs/cgroup', '-path', `*/${name}/*`, '-name', 'cgroup.procs', '-exec', 'cat', '{}', '+'];
  return (await run(find)).stdout.split('\n').filter(Boolean).map(Number);
}
