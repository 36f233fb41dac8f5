import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { FdbEntry, PeerStatus } from '../../src/model/status.ts';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { startDatapath } from '../lab/datapath.ts';
import { Lab, withLab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { PingStream } from '../lab/ping.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { Capture } from './support/capture.ts';
import { documentText, type Spec, workload } from './support/documents.ts';
import { type FleetBroker, startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';
import { peerOf } from './support/peer-of.ts';
import { sendHashed } from './support/transfer.ts';
import { routedUnderlay, type RoutedUnderlay } from './support/routed-underlay.ts';

const [A, B] = [gatewayName('a'), gatewayName('b')];
const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' };
/** three seconds, and what a poll and a cycle of this test's machine take */
const DEATH_MS = 3000 + 700;

const spec = (name: string, place: Namespace, ip: string, engine: string): Spec => ({
  networks: { line: { ...LINE, engine } },
  workloads: { [name]: workload(place, { line: { address: ip } }) },
});

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

/** To which VTEPs frames go that have no single target, and to which those that have one. */
async function targets(gateway: Gateway): Promise<{ readonly flood: string[]; readonly unicast: string[] }> {
  const { stdout } = await gateway.cli('fdb', '--json');
  const entries = (JSON.parse(stdout) as readonly FdbEntry[]).filter(({ origin }) => origin !== 'local');
  const [flood = [], unicast = []] = [true, false].map((isFlood) =>
    entries.filter(({ origin }) => (origin === 'flood') === isFlood).map(({ vtep }) => vtep),
  );
  return { flood, unicast };
}

/** The size that TCP was told to keep its segments to, as the other end's word on it arrives. */
async function toldMss(lab: Lab, from: Namespace, to: Namespace, address: string): Promise<number> {
  const capture = await Capture.start(lab, to, 'eth0', 'tcp[tcpflags] & tcp-syn != 0');
  await from.attempt('socat', '-u', '/dev/null', `TCP4:${address}:9,connect-timeout=1`);
  const found = await until('the first packet of a connection', () => /mss (\d+)/.exec(capture.text()));
  await capture.stop();
  return Number(found[1]);
}

describe.each([
  [4, 'kernel'],
  [6, 'kernel'],
  [4, 'user'],
] as const)('over IPv%d, by the %s engine', (family, engine) => {
  const lab = new Lab();
  let underlay: RoutedUnderlay;
  let fleet: FleetBroker;
  let a: Gateway;
  let b: Gateway;
  let workloads: { a1: Namespace; b1: Namespace };
  let address: (site: 1 | 2 | 3) => string;

  const inner = (outer: number): number => outer - (family === 4 ? 50 : 70);
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
    const datapaths =
      engine === 'user' ? [a, b].map(({ dir }, n) => [underlay.gateways[n] as Namespace, dir] as const) : [];
    for (const [namespace, dir] of datapaths) await startDatapath(lab, namespace, { dir });
    workloads = { a1: await lab.namespace('w-a1'), b1: await lab.namespace('w-b1') };
    await fleet.operator.apply(A, documentText(1, spec('a1', workloads.a1, '10.110.0.11', engine)));
    await fleet.operator.apply(B, documentText(1, spec('b1', workloads.b1, '10.110.0.21', engine)));
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
    expect(stdout).toMatch(/ ms +\S+(?: ms)? +1500 /);
    expect((await a.get('/metrics')).body).toMatch(/linkspan_peer_path_mtu_bytes\{.*\} 1500/);
  });

  test('one that falls silent is down in three seconds: nothing is flooded to it, and its entries stay', async () => {
    expect((await targets(a)).flood).toContain(address(2));
    await underlay.silence(2, true);
    const took = await elapsed(a, B, 'down');
    process.stdout.write(`IPv${family}, ${engine}: silent peer found in ${Math.round(took)} ms\n`);
    expect(took).toBeLessThan(DEATH_MS);
    await until('no flood to it', async () => !(await targets(a)).flood.includes(address(2)));
    expect((await targets(a)).unicast).toContain(address(2));
    expect((await a.cli('events')).stdout).toContain(`peer_down: gateway ${B} answers no probe at ${address(2)}`);
    await underlay.silence(2, false);
    expect(await elapsed(a, B, 'up')).toBeLessThan(3000);
    await until('floods to it again', async () => (await targets(a)).flood.includes(address(2)));
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
    expect((await targets(a)).flood).toContain(address(2));
    b = await start(2, B, dir);
    await elapsed(a, B, 'up', 40_000);
    const { lost, sent } = await stream.stop();
    expect([lost, sent > 100]).toEqual([0, true]);
  });

  test('one whose whole site is cut off at once is down soon after the broker’s word', async () => {
    await underlay.silence(2, true);
    await b.kill9();
    expect(await elapsed(a, B, 'down')).toBeLessThan(DEATH_MS);
    await underlay.silence(2, false);
    b = await start(2, B, b.dir);
    await elapsed(a, B, 'up', 40_000);
  });

  test('a router that passes less says so: found, shown, and TCP keeps to it both ways', async () => {
    const { a1, b1 } = workloads;
    expect(await toldMss(lab, a1, b1, '10.110.0.21')).toBe(inner(1500) - 40);
    await underlay.narrow(2, 1400);
    const { code, stdout } = await a.cli('peer', 'probe', B, '--json');
    expect([code, JSON.parse(stdout)]).toMatchObject([0, [{ gateway: B, state: 'up', path_mtu: 1400 }]]);
    await until('TCP to be told from A', async () => (await toldMss(lab, a1, b1, '10.110.0.21')) === inner(1400) - 40);
    // B's own way is as wide as before: its word is told down on the way in at A
    await until('TCP to be told from B', async () => (await toldMss(lab, b1, a1, '10.110.0.11')) === inner(1400) - 40);
    const transfer = {
      from: a1,
      to: b1,
      address: '10.110.0.21',
      protocol: 'tcp',
      bytes: 1 << 20,
      mtu: inner(1500),
    } as const;
    const { sent, received } = await sendHashed(lab, transfer);
    expect(received).toBe(sent);
  });

  test('one that says nothing is found out to the byte', async () => {
    const { a1, b1 } = workloads;
    const messages = family === 4 ? 'icmp type destination-unreachable' : 'icmpv6 type packet-too-big';
    await underlay.router.exec('nft', `add chain inet cut o { type filter hook output priority 0; }`);
    await underlay.router.exec('nft', `add rule inet cut o ${messages} drop`);
    await underlay.narrow(2, 1333);
    const began = performance.now();
    const { stdout } = await a.cli('peer', 'probe', B);
    process.stdout.write(`IPv${family}, ${engine}: black hole found in ${Math.round(performance.now() - began)} ms\n`);
    expect(stdout).toMatch(/ 1333 /);
    await until('TCP to be told', async () => (await toldMss(lab, a1, b1, '10.110.0.21')) === inner(1333) - 40);
    const transfer = {
      from: a1,
      to: b1,
      address: '10.110.0.21',
      protocol: 'tcp',
      bytes: 1 << 20,
      mtu: inner(1500),
    } as const;
    const { sent, received } = await sendHashed(lab, transfer);
    expect(received).toBe(sent);
    await underlay.router.exec('nft', 'flush chain inet cut o');
    await underlay.narrow(2, 1500);
    expect((await a.cli('peer', 'probe', '--json')).stdout).toContain('"path_mtu": 1500');
    await until('TCP to be told', async () => (await toldMss(lab, a1, b1, '10.110.0.21')) === inner(1500) - 40);
  }, 90_000);

  test('the probe of a peer that nobody knows, and of one that does not answer', async () => {
    expect(await a.cli('peer', 'probe', 'gw-nobody')).toMatchObject({ code: 4 });
    await underlay.silence(2, true);
    await elapsed(a, B, 'down');
    const { code, stdout } = await a.cli('peer', 'probe', B);
    expect([code, stdout]).toEqual([1, expect.stringContaining('down')]);
    await underlay.silence(2, false);
    await elapsed(a, B, 'up');
  });

  test('a peer whose site drops ICMP is never down', async () => {
    await underlay.router.exec('nft', 'add chain inet cut p { type filter hook forward priority -1; }');
    await underlay.router.exec('nft', 'add rule inet cut p meta l4proto { icmp, icmpv6 } drop');
    const { dir } = a;
    await a.stop();
    a = await start(1, A, dir);
    await until('its record and alive', async () => (await peerOf(a, B)).state === 'up');
    await sleep(6000);
    expect(await peerOf(a, B)).toMatchObject({ state: 'up', rtt_ms: null, path_mtu: null });
    expect((await targets(a)).flood).toContain(address(2));
    expect(await workloads.a1.reaches('10.110.0.21', 2)).toBe(true);
    await underlay.router.exec('nft', 'flush chain inet cut p');
  });
});
test('a peer whose address changes is followed within five seconds, by it alone and by the document of nobody', async () => {
  builtService();
  await withLab(async (lab) => {
    const underlay = await routedUnderlay(lab);
    const fleet = await startBroker(lab, underlay.gateways[2], underlay.address(3, 4));
    // B's address is its default route's, as where the network gives it one
    const config = (gateway: string, own: object): Record<string, unknown> => ({
      gateway,
      fleet: 'plant',
      mqtt: { url: fleet.broker.url },
      status: { listen: '127.0.0.1:0' },
      ...own,
    });
    const [gatewayA, gatewayB] = underlay.gateways;
    const fixed = { underlay: { address: underlay.address(1, 4) } };
    const a = await startGateway(lab, { namespace: gatewayA, config: config(A, fixed) });
    await startGateway(lab, { namespace: gatewayB, config: config(B, {}) });
    const [a1, b1] = [await lab.namespace('w-a1'), await lab.namespace('w-b1')];
    await fleet.operator.apply(A, documentText(1, spec('a1', a1, '10.110.0.11', 'kernel')));
    await fleet.operator.apply(B, documentText(1, spec('b1', b1, '10.110.0.21', 'kernel')));
    await until('the sites to reach each other', () => a1.reaches('10.110.0.21'));
    await underlay.router.batch(['address add 203.0.113.1/24 dev site2']);
    const began = performance.now();
    await gatewayB.batch([
      `address del ${underlay.address(2, 4)}/31 dev wan0`,
      'address add 203.0.113.2/24 dev wan0',
      'route replace default via 203.0.113.1',
    ]);
    await until('frames to flow again', () => a1.reaches('10.110.0.21'), 20_000);
    const took = performance.now() - began;
    process.stdout.write(`address change followed in ${Math.round(took)} ms\n`);
    expect(took).toBeLessThan(5000);
    const peer = await until('probes of the new address', async () => {
      const found = await peerOf(a, B);
      return found.vtep === '203.0.113.2' && found.rtt_ms !== null ? found : undefined;
    });
    expect(peer.state).toBe('up');
  });
}, 60_000);
