import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { PeerStatus } from '../../src/model/status.ts';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { PingStream } from '../lab/ping.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { documentText, type Spec, workload } from './support/documents.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';
import { routedUnderlay, type RoutedUnderlay } from './support/routed-underlay.ts';

const [A, B] = [gatewayName('a'), gatewayName('b')];
const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' };
/** three seconds, and what a poll and a cycle of this test's machine take */
const DEATH_MS = 3000 + 700;

const spec = (name: string, place: Namespace, ip: string): Spec => ({
  networks: { line: LINE },
  workloads: { [name]: workload(place, { line: { address: ip } }) },
});

async function peerOf(gateway: Gateway, name: string): Promise<PeerStatus> {
  const peer = (await gateway.status()).peers.find((one) => one.gateway === name);
  if (peer === undefined) throw new Error(`${name} is not known`);
  return peer;
}

/** Milliseconds until the peer is in that state. */
async function elapsed(
  gateway: Gateway,
  name: string,
  state: PeerStatus['state'],
  timeoutMs = 15_000,
): Promise<number> {
  const began = performance.now();
  await until(`${name} to be ${state}`, async () => (await peerOf(gateway, name)).state === state, timeoutMs);
  return performance.now() - began;
}

async function floods(namespace: Namespace): Promise<string> {
  const { stdout } = await namespace.exec('bridge', 'fdb', 'show', 'dev', 'lsx-line');
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('00:00:00:00:00:00'))
    .join('\n');
}

describe.each([4, 6] as const)('over IPv%d', (family) => {
  const lab = new Lab();
  let underlay: RoutedUnderlay;
  let fleet: FleetBroker;
  let a: Gateway;
  let b: Gateway;
  let workloads: { a1: Namespace; b1: Namespace };
  let address: (site: 1 | 2 | 3) => string;

  const start = (site: 1 | 2, name: string, dir?: string): Promise<Gateway> =>
    startGateway(lab, {
      namespace: underlay.gateways[site - 1] as Namespace,
      ...(dir !== undefined && { dir }),
      config: {
        gateway: name,
        fleet: 'plant',
        underlay: { address: address(site) },
        mqtt: { url: fleet.broker.url },
        status: { listen: '127.0.0.1:0' },
      },
    });

  beforeAll(async () => {
    builtService();
    underlay = await routedUnderlay(lab);
    address = (site) => underlay.address(site, family);
    // At a third site: whichever of the two is cut off, the other goes on hearing what the broker says.
    fleet = await startBroker(lab, underlay.gateways[2], underlay.address(3, 4));
    a = await start(1, A);
    b = await start(2, B);
    workloads = { a1: await lab.namespace('w-a1'), b1: await lab.namespace('w-b1') };
    await fleet.operator.apply(A, documentText(1, spec('a1', workloads.a1, '10.110.0.11')));
    await fleet.operator.apply(B, documentText(1, spec('b1', workloads.b1, '10.110.0.21')));
    await until('the sites to reach each other', () => workloads.a1.reaches('10.110.0.21'));
  });
  afterAll(() => lab.close());

  test('a peer that answers is up, with its round trip and the path MTU of the link', async () => {
    const peer = await until('a round trip and a path MTU', async () => {
      const found = await peerOf(a, B);
      return found.rtt_ms !== null && found.path_mtu !== null ? found : undefined;
    });
    expect(peer).toMatchObject({ state: 'up', vtep: address(2), path_mtu: 1500 });
    expect(peer.rtt_ms).toBeLessThan(50);
    const { stdout } = await a.cli('peer', 'ls');
    expect(stdout).toMatch(/ms +1500/);
    expect((await a.get('/metrics')).body).toMatch(/linkspan_peer_path_mtu_bytes\{.*\} 1500/);
  });

  test('one that falls silent is down in three seconds: nothing is flooded to it, and its entries stay', async () => {
    const [gatewayA] = underlay.gateways;
    expect(await floods(gatewayA)).toContain(address(2));
    await underlay.silence(2, true);
    const took = await elapsed(a, B, 'down');
    process.stdout.write(`IPv${family}: silent peer found in ${Math.round(took)} ms\n`);
    expect(took).toBeLessThan(DEATH_MS);
    await until('no flood to it', async () => !(await floods(gatewayA)).includes(address(2)));
    const { stdout } = await gatewayA.exec('bridge', 'fdb', 'show', 'dev', 'lsx-line');
    expect(stdout).toContain(`dst ${address(2)}`);
    expect((await a.cli('events')).stdout).toContain(`peer_down: gateway ${B} answers no probe at ${address(2)}`);
    await underlay.silence(2, false);
    expect(await elapsed(a, B, 'up')).toBeLessThan(3000);
    await until('floods to it again', async () => (await floods(gatewayA)).includes(address(2)));
    await workloads.a1.ip('neigh', 'flush', 'all');
    expect(await workloads.a1.reaches('10.110.0.21', 2)).toBe(true);
    expect((await a.cli('events')).stdout).toContain(`peer_answers: gateway ${B} answers again`);
  });

  test('one whose service alone is gone goes on being sent to', async () => {
    const stream = await PingStream.start(lab, workloads.a1, '10.110.0.21');
    const { dir } = b;
    await b.kill9();
    await elapsed(a, B, 'suspect');
    // longer than it takes to find a silent one
    await sleep(4000);
    expect((await peerOf(a, B)).state).toBe('suspect');
    expect(await floods(underlay.gateways[0])).toContain(address(2));
    b = await start(2, B, dir);
    await elapsed(a, B, 'up', 40_000);
    const { lost, sent } = await stream.stop();
    expect([lost, sent > 300]).toEqual([0, true]);
  });

  test('one whose whole site is cut off at once is down soon after the broker’s word', async () => {
    await underlay.silence(2, true);
    await b.kill9();
    expect(await elapsed(a, B, 'down')).toBeLessThan(DEATH_MS);
    await underlay.silence(2, false);
    b = await start(2, B, b.dir);
    await elapsed(a, B, 'up', 40_000);
  });
});
