import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { apply } from '../netns/support/documents.ts';
import { seededRandom } from '../netns/support/random.ts';
import { leavings, storeRows } from './support/leavings.ts';
import type { Relay, When } from './support/relay.ts';
import { relayedSite } from './support/relayed.ts';
import type { DockerSite } from './support/site.ts';
import { type Ground, Walker } from './support/walker.ts';

const CONTAINERS = 200;
/** `docker` commands at the same time */
const WALKERS = 4;
/** Milliseconds that the starts are spread over, 600000 say; else as fast as the machine can. */
const SPREAD_MS = Number(process.env['LINKSPAN_SOAK_MS'] ?? 0);
const SEED = Number(process.env['LINKSPAN_SOAK_SEED'] ?? Date.now() % 1_000_000);
const LIMIT_MS = SPREAD_MS + 600_000;
/** V8 keeps some of what it once took (its old space may have 64 MB); a leak of 150 kB a container is seen. */
const GROWTH_MB = 30;
/** A minute to be missed, and up to one more until that is noticed. */
const COLLECTED_MS = 150_000;

const CREATE = ['network', 'create', '-d', 'linkspan'] as const;
const GROUNDS: readonly Ground[] = [
  { network: 'plant', args: [] },
  { network: 'cell', args: ['-p', '80', '-p', '502/udp'] },
  { network: 'line1', args: [] },
];

const lab = new Lab();
let host: Namespace;
let site: DockerSite;
let relay: Relay;

beforeAll(async () => {
  ({ host, site, relay } = await relayedSite(lab, 's'));
  const line1 = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' };
  const line2 = { driver: 'overlay', vni: 10_120, subnet: '10.120.0.0/24' };
  await apply(site.gateway, 1, { networks: { line1, line2 } });
}, 180_000);

afterAll(() => lab.close(), 60_000);

const makeNetworks = async (): Promise<void> => {
  const plant = ['--subnet', '10.20.0.0/24', '--gateway', '10.20.0.1', '--ip-range', '10.20.0.128/25'];
  await site.docker(...CREATE, '-o', 'parent=lan0', ...plant, 'plant');
  await site.docker(...CREATE, '--subnet', '172.31.0.0/24', 'cell');
  await site.docker(...CREATE, '-o', 'network=line1', 'line1');
};

/** dockerd is killed while it waits for these calls of its plugin, made by the commands. */
async function killDuring(
  stops: readonly (readonly [call: string, when: When])[],
  ...commands: readonly (readonly string[])[]
): Promise<void> {
  const held = Promise.all(stops.map(([call, when]) => relay.hold(call, when)));
  const done = Promise.all(commands.map((words) => site.dockerd.attempt(...words)));
  const calls = await held;
  await site.dockerd.kill9();
  for (const { cut } of calls) cut();
  await done;
  await site.dockerd.restart();
}

/** A dockerd that is killed had an endpoint made that it never comes back to, and a network that it never came to know. */
async function loseSome(): Promise<void> {
  await killDuring(
    [
      ['Join', 'before'],
      ['CreateNetwork', 'after'],
    ],
    ['run', '-d', '--name', 'lost', '--network', 'plant', '--ip', '10.20.0.21', 'busybox', 'true'],
    [...CREATE, '--subnet', '172.31.9.0/24', 'lost'],
  );
  await site.docker('rm', '-f', 'lost');
  expect(lost()).toHaveLength(2);
}

/** It was given an address that it has not written down. A dockerd with such a network cleans up more, when it starts. */
async function loseAddress(): Promise<void> {
  const ipam = ['--ipam-driver', 'linkspan', '--ipam-opt', 'network=line2'] as const;
  await site.docker(...CREATE, '-o', 'network=line2', ...ipam, 'line2');
  kept = new Set(addressRows());
  await killDuring(
    [['RequestAddress', 'after']],
    ['run', '-d', '--name', 'none', '--network', 'line2', 'busybox', 'true'],
  );
  await site.docker('rm', '-f', 'none');
  expect(addressRows()).toHaveLength(kept.size + 1);
}

/** Of `line2`, on which no container stays. */
const addressRows = (): readonly string[] =>
  storeRows(site).filter((row) => row.startsWith('docker_addresses') && row.includes('"line2"'));

/** Docker's own of `line2`, its router's. */
let kept: ReadonlySet<string> = new Set();

const lost = (): readonly string[] => [
  ...storeRows(site).filter((row) => row.includes('10.20.0.21') || row.includes('172.31.9.0')),
  ...addressRows().filter((row) => !kept.has(row)),
];

const descriptors = async (): Promise<number> => (await readdir(`/proc/${site.gateway.pid}/fd`)).length;

const residentMb = async (): Promise<number> => {
  const status = await readFile(`/proc/${site.gateway.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
};

/** Until each walker has started its share, no faster than the spread says. */
async function walk(walkers: readonly Walker[], each: number, spreadMs: number): Promise<void> {
  const begun = performance.now();
  await Promise.all(
    walkers.map(async (walker) => {
      while (walker.started < each) {
        await walker.step();
        const due = begun + (spreadMs * walker.started) / each;
        await sleep(Math.max(0, due - performance.now()));
      }
    }),
  );
}

/** What stands at the end works: every one that runs is on its networks, and reaches the plant where one leads there. */
async function allWork(walkers: readonly Walker[]): Promise<void> {
  const running = walkers.flatMap(({ containers }) => containers).filter((one) => one.running);
  await site.attached(running.reduce((sum, { networks }) => sum + networks.size, 0));
  for (const { name, networks } of running) {
    if (networks.has('plant') || networks.has('cell')) {
      expect([name, ...networks, await site.reaches(name, '10.20.0.10')]).toEqual([name, ...networks, true]);
    }
  }
}

async function removeAll(): Promise<void> {
  const containers = (await site.docker('ps', '-aq')).split('\n').filter((id) => id !== '');
  if (containers.length > 0) await site.docker('rm', '-f', ...containers);
  await site.docker('network', 'rm', 'plant', 'cell', 'line1');
}

test(
  `${CONTAINERS} containers come, move and go at random, and leave nothing (seed ${SEED})`,
  async () => {
    const clean = await leavings(site, host);
    const newWalkers = (lap: string): readonly Walker[] =>
      Array.from({ length: WALKERS }, (_, n) => {
        return new Walker(site, GROUNDS, seededRandom(SEED * WALKERS + n), `${lap}-${n}-`);
      });
    // What a first lap of everything loads and allocates stays, and is not what containers cost.
    await makeNetworks();
    await walk(newWalkers('warm'), 2, 0);
    await removeAll();
    const [fds, rss] = [await descriptors(), await residentMb()];

    await makeNetworks();
    await loseSome();
    const walkers = newWalkers('walk');
    const begun = performance.now();
    await walk(walkers, CONTAINERS / WALKERS, SPREAD_MS);
    const tookS = (performance.now() - begun) / 1000;
    await allWork(walkers);
    await loseAddress();
    await until('what a killed dockerd lost to be collected', () => lost().length === 0, COLLECTED_MS);
    await site.docker('network', 'rm', 'line2');
    await removeAll();

    const left = async (): Promise<readonly string[]> => (await leavings(site, host)).filter((l) => !clean.includes(l));
    await until('nothing to be left', async () => (await left()).length === 0).catch(() => undefined);
    expect(await leavings(site, host)).toEqual(clean);
    await until('the descriptors to be closed', async () => (await descriptors()) <= fds);
    expect((await residentMb()) - rss).toBeLessThan(GROWTH_MB);
    console.log(
      `seed ${SEED}: ${tookS.toFixed(0)} s; ${rss.toFixed(0)} MB, then ${(await residentMb()).toFixed(0)} MB; ${fds} descriptors`,
    );
  },
  LIMIT_MS,
);
