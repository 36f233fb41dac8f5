import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { FdbEntry, PeerStatus } from '../../src/model/status.ts';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { type Datapath, startDatapath } from '../lab/datapath.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { documentText, type Spec, workload } from './support/documents.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';
import { peerOf } from './support/peer-of.ts';
import { routedUnderlay, type RoutedUnderlay } from './support/routed-underlay.ts';

const [A, B] = [gatewayName('a'), gatewayName('b')];
/** three seconds, and what a poll and a cycle of this test's machine take */
const DEATH_MS = 3000 + 700;
/** ten seconds between two probes, two until a silence is one, twelve to be sure, five until it is looked at */
const TOLD_MS = 30_000 + 5000;

const spec = (name: string, place: Namespace, ip: string, engine: string): Spec => ({
  networks: { line: { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24', engine } },
  workloads: { [name]: workload(place, { line: { address: ip } }) },
});

/** Milliseconds until the peer is as described. */
async function elapsed(
  gateway: Gateway,
  name: string,
  wanted: Partial<PeerStatus>,
  timeoutMs = 15_000,
): Promise<number> {
  const began = performance.now();
  const isSo = (peer: PeerStatus): boolean =>
    Object.entries(wanted).every(([key, value]) => peer[key as keyof PeerStatus] === value);
  await until(`${name} to be ${JSON.stringify(wanted)}`, async () => isSo(await peerOf(gateway, name)), timeoutMs);
  return performance.now() - began;
}

/** Every VTEP that frames go to, flooded or not. */
async function targets(gateway: Gateway): Promise<readonly string[]> {
  const { stdout } = await gateway.cli('fdb', '--json');
  const entries = (JSON.parse(stdout) as readonly FdbEntry[]).filter(({ origin }) => origin !== 'local');
  return entries.map(({ origin, vtep }) => `${origin} ${vtep}`).toSorted();
}

describe.each([
  [4, 'kernel', 'kernel'],
  [6, 'user', 'user'],
  [4, 'kernel', 'user'],
] as const)('over IPv%d, engines %s and %s', (family, engineA, engineB) => {
  const lab = new Lab();
  let underlay: RoutedUnderlay;
  let fleet: FleetBroker;
  /** of the user engine at A */
  let datapath: Datapath | undefined;
  let a: Gateway;
  let b: Gateway;
  let address: (site: 1 | 2 | 3) => string;
  let workloads: { a1: Namespace; b1: Namespace };

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

  /** What the router passes between the sites. */
  async function drop(...matches: readonly string[]): Promise<void> {
    await underlay.router.exec('nft', 'flush chain inet cut p');
    for (const match of matches) await underlay.router.exec('nft', `add rule inet cut p ${match} drop`);
  }
  const [VXLAN, ICMP] = ['udp dport 4789', 'meta l4proto { icmp, icmpv6 }'];

  beforeAll(async () => {
    builtService();
    underlay = await routedUnderlay(lab);
    address = (site) => underlay.address(site, family);
    await underlay.router.exec('nft', 'add chain inet cut p { type filter hook forward priority -1; }');
    fleet = await startBroker(lab, underlay.gateways[2], underlay.address(3, 4));
    a = await start(1, A);
    b = await start(2, B);
    for (const [n, [engine, { dir }]] of [[engineA, a] as const, [engineB, b] as const].entries()) {
      if (engine !== 'user') continue;
      const started = await startDatapath(lab, underlay.gateways[n] as Namespace, { dir });
      if (n === 0) datapath = started;
    }
    workloads = { a1: await lab.namespace('w-a1'), b1: await lab.namespace('w-b1') };
    await fleet.operator.apply(A, documentText(1, spec('a1', workloads.a1, '10.110.0.11', engineA)));
    await fleet.operator.apply(B, documentText(1, spec('b1', workloads.b1, '10.110.0.21', engineB)));
    await until('the sites to reach each other', () => workloads.a1.reaches('10.110.0.21'));
  });
  afterAll(() => lab.close());

  test('both ends say that VXLAN gets there, with its round trip; the table of MACs has none of the probes’', async () => {
    for (const [gateway, other] of [[a, B] as const, [b, A] as const]) {
      await elapsed(gateway, other, { datapath: 'ok', state: 'up' });
      expect((await peerOf(gateway, other)).datapath_rtt_ms).toBeLessThan(1000);
    }
    const { code, stdout } = await a.cli('peer', 'probe', B);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/ms +\d+\.\d ms +1500/)]);
    expect((await a.get('/metrics')).body).toMatch(/linkspan_peer_datapath_up\{.*\} 1\n/);
    expect(await targets(a)).toEqual([`flood ${address(2)}`, `peer ${address(2)}`]);
    const asked = await fleet.operator.ask(A, 'probe', { gateway: B });
    expect(asked).toMatchObject({ result: { peers: [{ gateway: B, datapath: 'ok' }] } });
  });

  test('a firewall that passes pings and drops VXLAN is found at both ends, told with its remedy, and costs nobody anything', async () => {
    const before = await targets(a);
    await drop(VXLAN);
    const began = performance.now();
    await elapsed(a, B, { datapath: 'silent' }, TOLD_MS);
    process.stdout.write(
      `IPv${family}, ${engineA}: VXLAN's silence told after ${Math.round(performance.now() - began)} ms\n`,
    );
    await elapsed(b, A, { datapath: 'silent' }, TOLD_MS);
    expect([(await peerOf(a, B)).state, await targets(a)]).toEqual(['up', before]);
    const { stdout } = await a.cli('events');
    expect(stdout).toMatch(
      /peer_tunnel_silent: gateway gw-.* is there, but VXLAN does not reach it.* open VXLAN's UDP port/,
    );
    expect(stdout).not.toContain('peer_down');
    expect(await a.cli('peer', 'probe', B)).toMatchObject({ code: 1, stdout: expect.stringContaining('silent') });
    expect((await a.get('/metrics')).body).toMatch(/linkspan_peer_datapath_up\{.*\} 0\n/);
    await drop();
    await elapsed(a, B, { datapath: 'ok' }, TOLD_MS);
    expect((await a.cli('events')).stdout).toContain(`peer_tunnel_answers: VXLAN reaches gateway ${B}`);
    await elapsed(b, A, { datapath: 'ok' }, TOLD_MS);
  }, 120_000);

  test('one that falls silent altogether is down in three seconds, as without', async () => {
    await underlay.silence(2, true);
    const took = await elapsed(a, B, { state: 'down' });
    process.stdout.write(`IPv${family}, ${engineA}: silent peer found in ${Math.round(took)} ms\n`);
    expect(took).toBeLessThan(DEATH_MS);
    await underlay.silence(2, false);
    expect(await elapsed(a, B, { state: 'up' })).toBeLessThan(3000);
  });

  test('one that ceases to answer pings is up by VXLAN, and never less on the way there; and then found dead as soon', async () => {
    await elapsed(a, B, { state: 'up', datapath: 'ok' });
    await drop(ICMP);
    const states = new Set<string>();
    for (const began = performance.now(); performance.now() - began < 8000; await sleep(100)) {
      states.add((await peerOf(a, B)).state);
    }
    expect(states).not.toContain('down');
    expect(await peerOf(a, B)).toMatchObject({ state: 'up', datapath: 'ok' });
    await underlay.silence(2, true);
    const took = await elapsed(a, B, { state: 'down' });
    process.stdout.write(`IPv${family}, ${engineA}: silent peer found by VXLAN alone in ${Math.round(took)} ms\n`);
    expect(took).toBeLessThan(DEATH_MS);
    await underlay.silence(2, false);
    expect(await elapsed(a, B, { state: 'up' })).toBeLessThan(3000);
  });

  test('where VXLAN alone answers, a fault of this gateway’s own makes nobody dead', async () => {
    await elapsed(a, B, { state: 'up', datapath: 'ok' });
    await drop(ICMP);
    const bDir = b.dir;
    await b.kill9();
    await elapsed(a, B, { state: 'suspect' });
    // pings are silent for long
    await sleep(6000);
    const states = new Set<string>();
    const port = engineA === 'kernel' ? 'lsx-line' : 'lsu-line';
    const watch = async (ms: number): Promise<void> => {
      for (const began = performance.now(); performance.now() - began < ms; await sleep(20)) {
        states.add((await peerOf(a, B)).state);
      }
    };
    const [gateway] = underlay.gateways;
    await gateway.exec('ip', 'link', 'set', port, 'down');
    await watch(2000);
    await gateway.exec('nft', 'delete', 'table', 'netdev', `linkspan-${port}`);
    await watch(2000);
    await datapath?.process.kill9();
    await watch(6000);
    if (datapath !== undefined) datapath = await startDatapath(lab, gateway, { dir: a.dir });
    await watch(2000);
    expect([...states]).toEqual(['suspect']);
    b = await start(2, B, bDir);
    await elapsed(a, B, { state: 'up', datapath: 'ok' });
    // one that dies for good is found all the same
    await underlay.silence(2, true);
    await elapsed(a, B, { state: 'down' });
    await underlay.silence(2, false);
    await elapsed(a, B, { state: 'up', datapath: 'ok' });
  }, 60_000);

  test('one that has never answered pings is judged by VXLAN too: up, though its service is away, and down when it is gone', async () => {
    const { dir } = a;
    await a.stop();
    a = await start(1, A, dir);
    await elapsed(a, B, { state: 'up', datapath: 'ok', rtt_ms: null });
    expect((await a.cli('peer', 'probe', B)).code).toBe(0);
    const bDir = b.dir;
    await b.kill9();
    await elapsed(a, B, { state: 'suspect' });
    // longer than it takes to find a silent one: the kernel answers alone
    await sleep(5000);
    expect(await peerOf(a, B)).toMatchObject({ state: 'suspect', datapath: 'ok' });
    b = await start(2, B, bDir);
    await elapsed(a, B, { state: 'up' });
    await underlay.silence(2, true);
    expect(await elapsed(a, B, { state: 'down' })).toBeLessThan(DEATH_MS);
    await underlay.silence(2, false);
    await drop();
    await elapsed(a, B, { state: 'up' });
  }, 60_000);
});
