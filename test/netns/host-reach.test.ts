import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sendFrames } from '../../src/host/packet-socket.ts';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { type Sites, twoSites } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';
import { builtService } from './support/built.ts';
import { apply, workload } from './support/documents.ts';
import { macOf, routerAdvertisement, udpFrame } from './support/frames.ts';
import { startBroker } from './support/mqtt.ts';
import { gatewayName } from './support/names.ts';
import { ask, serve } from './support/services.ts';

/** Of the host itself, not of a workload. */
const PORT = 7001;
const LINE = { driver: 'overlay', vni: 10_110, subnet: '10.110.0.0/24' };

const lab = new Lab();
let sites: Sites;
let host: Namespace;
let far: Namespace;
let a: Gateway;

beforeAll(async () => {
  builtService();
  sites = await twoSites(lab);
  host = sites.a.gateway;
  const { url } = (await startBroker(lab, host, sites.a.underlay)).broker;
  const near = await sites.a.workload('w1');
  far = await sites.b.workload('w1');
  const start = (name: string, { gateway, underlay }: Sites['a']): Promise<Gateway> => {
    const config = { gateway: gatewayName(name), fleet: 'plant', underlay: { address: underlay }, mqtt: { url } };
    return startGateway(lab, { namespace: gateway, config: { ...config, status: { listen: '127.0.0.1:0' } } });
  };
  a = await start('a', sites.a);
  const b = await start('b', sites.b);
  const networks = { line: LINE, cell: { driver: 'bridge', subnet: '172.30.0.0/24' } };
  const inCell = workload(await sites.a.workload('w2'), { cell: {} });
  await apply(a, 1, { networks, workloads: { w1: workload(near, { line: { address: '10.110.0.11' } }), w2: inCell } });
  await apply(b, 1, {
    networks: { line: LINE },
    workloads: { b1: workload(far, { line: { address: '10.110.0.21' } }) },
  });
  await until('the sites to reach each other', () => far.reaches('10.110.0.11'));
  await serve(lab, host, 'host', PORT);
}, 60_000);
afterAll(() => lab.close());

/** The host's own IPv6 addresses on the interface, the link-local one too. */
async function addresses6(device: string): Promise<string> {
  return (await host.ip('-6', 'address', 'show', 'dev', device)).stdout;
}

/** A service of the host that hears one datagram: what it heard. */
async function heard(send: (port: number) => Promise<void>): Promise<string> {
  const service = await lab.process(host, ['socat', '-u', `UDP4-RECV:${PORT + 1}`, 'STDOUT']);
  await until('the service to listen', async () => (await host.exec('ss', '-lun')).stdout.includes(`:${PORT + 1} `));
  await send(PORT + 1);
  // What comes later by another way shows that the first had its time.
  await host.exec('sh', '-c', `echo end | socat -u STDIN UDP4-SENDTO:127.0.0.1:${PORT + 1}`);
  await until('the last datagram', () => service.log().includes('end'));
  await service.stop();
  return service.log();
}

/** Seen from the other site: whatever `to` is for the host on the overlay's device. */
async function datagram(port: number, to: string): Promise<void> {
  const [own, device] = [await macOf(far, 'eth0'), await macOf(host, 'lsx-line')];
  sendFrames(far.path, 'eth0', [udpFrame(own, device, { from: '10.110.0.21', to, port, text: 'from the overlay' })]);
}

/** Whether the gateway says on the overlay that its underlay's address is its. */
function arping(...from: readonly string[]): Promise<{ readonly code: number }> {
  return far.attempt('arping', '-c', '1', '-w', '1', '-I', 'eth0', ...from, sites.a.underlay);
}

test('a workload of another site does not reach the gateway by the overlay', async () => {
  expect(await addresses6('lsx-line')).toBe('');
  expect(await heard((port) => datagram(port, sites.a.underlay))).toBe('end\n');
  expect((await arping('-s', '10.110.0.21')).code).not.toBe(0);
  expect((await arping('-D')).code).toBe(0);
});

test.each(['far', 'cell'])('a workload (%s) that says that it is a router is not followed', async (where) => {
  const [from, device] =
    where === 'far' ? ([far, 'lsx-line'] as const) : ([await sites.a.workload('x'), 'lsb-cell'] as const);
  if (where === 'cell') await a.cli('attach', 'x', 'cell', '--netns', from.name);
  sendFrames(from.path, 'eth0', [routerAdvertisement(await macOf(from, 'eth0'), 'fe80::bad', 'fd00:bad::')]);
  expect(await heard((port) => datagram(port, sites.a.underlay))).toBe('end\n');
  expect((await host.ip('-6', 'route')).stdout).not.toContain('bad');
  expect(await addresses6(device)).not.toContain('fd00:bad');
});

test('what somebody opens is shut again', async () => {
  for (const [file, value] of [
    ['ipv6/conf/lsx-line/disable_ipv6', 0],
    ['ipv4/conf/lsx-line/rp_filter', 0],
    ['ipv6/conf/lsb-cell/accept_ra', 1],
  ] as const)
    await host.exec('sh', '-c', `echo ${value} >/proc/sys/net/${file}`);
  expect(await addresses6('lsx-line')).toContain('fe80');
  await apply(a, 2, { networks: { line: LINE, cell: { driver: 'bridge', subnet: '172.30.0.0/24' } } });
  expect(await addresses6('lsx-line')).toBe('');
  expect((await host.exec('cat', '/proc/sys/net/ipv6/conf/lsb-cell/accept_ra')).stdout.trim()).toBe('0');
  expect(await ask(far, 'tcp', sites.a.underlay, PORT, { patience: 500 })).toBeUndefined();
});
