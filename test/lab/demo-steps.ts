import type { GatewayStatus } from '../../src/model/status.ts';
import { capture, type Decoded } from './demo-capture.ts';
import { exposePage } from './demo-page.ts';
import { expectThat, type Report, type Seen } from './demo-report.ts';
import {
  BROKER,
  HALL,
  DEVICES,
  documentOf,
  FLEET,
  LINE1,
  LINE2,
  PLAN,
  publish,
  retained,
  type Scene,
  startGateways,
} from './demo-scene.ts';
import type { Gateway } from './gateway.ts';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import { until } from './wait.ts';

type Gateways = { readonly a: Gateway; readonly b: Gateway };
type WorkloadName = keyof typeof PLAN;

/** What a person may look at afterwards: status pages, by gateway. */
export type Pages = Record<string, string>;

const first = (name: WorkloadName): string => PLAN[name].on[0].address;
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Every step of the demo, in order; throws at the first that shows something else than it should. */
export async function show(lab: Lab, scene: Scene, report: Report, pages: Pages): Promise<void> {
  const { workloads, sites } = scene;
  const gateways = await bringUp(lab, scene, report);
  await report.step('records', () => records(scene));
  const stop = await capture(lab, sites.a.gateway, 'wan0');
  await report.step('a to b', () => across(workloads.historian, 'robot', gateways.b));
  await report.step('b to a', () => across(workloads.robot, 'historian', gateways.a));
  await report.step('full size', () => fullSize(workloads.historian, gateways.a));
  await report.step('siblings', () => siblings(workloads.historian));
  await report.step('line2', () => line2(scene));
  await report.step('isolation', () => isolation(workloads.oven));
  const packets = await stop();
  await report.step('underlay', () => underlay(packets));
  await report.step('kept local', () => keptLocal(packets));
  await report.step('plant', () => plant(scene));
  await report.step('stretch', () => stretched(scene, gateways.b));
  await report.step('pages', () => openPages(lab, scene, gateways, pages));
}

async function bringUp(lab: Lab, scene: Scene, report: Report): Promise<Gateways> {
  const running: Partial<{ a: Gateway; b: Gateway }> = {};
  await report.step('gateways', async () => {
    const since = performance.now();
    Object.assign(running, await startGateways(lab, scene));
    await connected(running as Gateways);
    return { detail: `2 up in ${seconds(since)}; the broker is embedded in the one at site a` };
  });
  const gateways = running as Gateways;
  await report.step('documents', () => documents(scene, gateways));
  await report.step('engine a', () => engine(gateways.a, ['kernel', 'user']));
  await report.step('engine b', () => engine(gateways.b, ['user']));
  return gateways;
}

async function connected({ a, b }: Gateways): Promise<void> {
  for (const gateway of [a, b]) {
    await until('the gateway to reach the broker', async () => (await gateway.status()).broker.connected);
  }
}

async function documents(scene: Scene, gateways: Gateways): Promise<Seen> {
  const since = performance.now();
  const topic = (site: 'a' | 'b'): string => `linkspan/v1/${FLEET}/gw/${scene.names[site]}/desired`;
  const body = (site: 'a' | 'b'): string => JSON.stringify(documentOf(scene, site));
  await publish(scene, { [topic('a')]: body('a'), [topic('b')]: body('b') });
  const last: Partial<Record<'a' | 'b', GatewayStatus>> = {};
  const applied = async (site: 'a' | 'b'): Promise<boolean> => {
    const status = await gateways[site].status();
    last[site] = status;
    expectThat(status.config.state !== 'rejected', 'an accepted document', JSON.stringify(status.config.errors));
    return status.config.state === 'applied' && status.endpoints.every((one) => one.state === 'attached');
  };
  await until('site a to apply its document', () => applied('a'), 15_000);
  await until('site b to apply its document', () => applied('b'), 15_000);
  await until('the gateways to know each other', async () => await known(scene, gateways), 15_000);
  const endpoints = (last.a?.endpoints.length ?? 0) + (last.b?.endpoints.length ?? 0);
  const detail = `published over MQTT, applied in ${seconds(since)}: ${endpoints} interfaces, 2 peers`;
  return { detail, evidence: [topic('a'), body('a')] };
}

/** Each gateway sees the other up, and its table leads to every workload of the other site. */
async function known(scene: Scene, gateways: Gateways): Promise<boolean> {
  for (const [site, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const { peers } = await gateways[site].status();
    if (!peers.some((peer) => peer.gateway === scene.names[other] && peer.state === 'up')) return false;
    const fdb = JSON.parse((await gateways[site].get('/v1/fdb')).body) as { mac: string; vtep: string }[];
    const remote = (await gateways[other].status()).endpoints.filter((one) => one.network !== 'plant');
    const vtep = scene.sites[other].underlay;
    if (!remote.every(({ mac }) => fdb.some((row) => row.mac === mac && row.vtep.startsWith(vtep)))) return false;
  }
  return true;
}

async function engine(gateway: Gateway, expected: readonly string[]): Promise<Seen> {
  const network = (await gateway.status()).networks.find((one) => one.name === 'line1');
  const seen = `${network?.engine} (${network?.engine_reason}), VNI ${network?.vni}, MTU ${network?.mtu}`;
  const right = expected.includes(network?.engine ?? '') && network?.mtu === 1450;
  expectThat(right, `line1 on the ${expected.join(' or ')} engine, MTU 1450`, seen);
  return { detail: `line1: ${seen}` };
}

async function records(scene: Scene): Promise<Seen> {
  const found = Object.entries(await retained(scene, `linkspan/v1/${FLEET}/vni/${LINE1}/gw/+`)).toSorted(
    ([one], [other]) => (one < other ? -1 : 1),
  );
  const macs = found.map(([, body]) => (JSON.parse(body) as { macs: unknown[] }).macs.length);
  expectThat(
    macs.join(' ') === '2 1',
    `a record of each gateway with 2 and 1 MACs`,
    `${found.length}: ${macs.join(' ')}`,
  );
  const detail = `${found.length} retained at ${BROKER}, ${macs.join(' + ')} MACs`;
  return { detail, evidence: found.flat() };
}

/** ARP and ping with empty neighbour tables: the gateway answers for the other site, whose records it has. */
async function across(from: Namespace, to: WorkloadName, remote: Gateway): Promise<Seen> {
  const address = first(to);
  await from.ip('neigh', 'flush', 'dev', 'eth0');
  const ping = await pinged(from, address);
  expectThat(ping.received === ping.sent, `${to} at ${address} to answer every ping`, ping.text);
  const mac = (await remote.status()).endpoints.find((one) => one.workload === to && one.network !== 'plant')?.mac;
  const seen = await neighbour(from, address);
  expectThat(seen === mac, `ARP to say that ${address} is at ${mac}, ${to}'s own MAC`, seen ?? 'no answer');
  return { detail: `ARP: ${address} is at ${mac}; ${ping.text}` };
}

async function fullSize(from: Namespace, gateway: Gateway): Promise<Seen> {
  const mtu = (await gateway.status()).networks.find((one) => one.name === 'line1')?.mtu ?? 0;
  // 20 bytes of IPv4 header and 8 of ICMP stand before a ping's own bytes.
  const ping = await pinged(from, first('robot'), ['-M', 'do', '-s', String(mtu - 28)]);
  expectThat(ping.received === ping.sent, `packets of ${mtu} bytes to pass undivided`, ping.text);
  return { detail: `packets of ${mtu} bytes pass undivided; ${ping.text}` };
}

async function siblings(from: Namespace): Promise<Seen> {
  const ping = await pinged(from, first('press'));
  expectThat(ping.received === ping.sent, 'press, at the same site, to answer every ping', ping.text);
  return { detail: `historian to press, macvlan to macvlan; ${ping.text}` };
}

async function line2({ workloads }: Scene): Promise<Seen> {
  const ping = await pinged(workloads.packer, first('oven'));
  expectThat(ping.received === ping.sent, 'oven, on line2 too, to answer every ping', ping.text);
  return { detail: `packer to oven, VNI ${LINE2}, across the sites; ${ping.text}` };
}

/** Layer 2, not just routing: the workload of line2 gets an address of line1's subnet and asks for one of line1. */
async function isolation(oven: Namespace): Promise<Seen> {
  await oven.ip('address', 'add', '10.110.0.99/24', 'dev', 'eth0');
  const ping = await pinged(oven, first('historian'));
  const mac = await neighbour(oven, first('historian'));
  await oven.ip('address', 'delete', '10.110.0.99/24', 'dev', 'eth0');
  expectThat(ping.received === 0 && mac === undefined, 'no answer from line1 on line2', `${ping.text} ${mac ?? ''}`);
  return { detail: `oven, with an address of line1's, gets no ARP answer; ${ping.text}` };
}

async function underlay(packets: readonly Decoded[]): Promise<Seen> {
  const strangers = packets.filter(({ vni }) => vni !== LINE1 && vni !== LINE2 && vni !== HALL);
  const crossing = packets.filter(
    (packet) => packet.vni === LINE1 && packet.inner === `${first('historian')} ${first('robot')}`,
  );
  const asked = packets.filter((packet) => packet.inner === `10.110.0.99 ${first('historian')}`);
  const count = (vni: number): number => packets.filter((packet) => packet.vni === vni).length;
  const seen = `${count(LINE1)} packets of VNI ${LINE1}, ${count(LINE2)} of ${LINE2}, ${strangers.length} others`;
  expectThat(strangers.length === 0 && crossing.some(({ protocol }) => protocol === 'ICMP'), 'pings in VXLAN', seen);
  expectThat(asked.length > 0 && asked.every(({ vni }) => vni === LINE2), `oven's questions in VNI ${LINE2}`, seen);
  const lines = ['ARP', 'ICMP'].flatMap((protocol) => crossing.filter((one) => one.protocol === protocol).slice(0, 1));
  const evidence = lines.map(({ outer, vni, protocol, inner }) => {
    return `${outer.replace(' ', ' > ')}  VXLAN VNI ${vni}  ${protocol} ${inner.replace(' ', ' > ')}`;
  });
  return { detail: `tshark on wan0: ${seen}`, evidence };
}

async function keptLocal(packets: readonly Decoded[]): Promise<Seen> {
  const pair = new Set([`${first('historian')} ${first('press')}`, `${first('press')} ${first('historian')}`]);
  const crossed = packets.filter((packet) => packet.protocol === 'ICMP' && pair.has(packet.inner)).length;
  expectThat(crossed === 0, "none of the siblings' pings on the underlay", `${crossed}`);
  return { detail: `${crossed} of the siblings' pings crossed the underlay` };
}

async function plant({ sites, workloads }: Scene): Promise<Seen> {
  const { plcAddress } = sites.a;
  const ping = await pinged(workloads.historian, plcAddress);
  expectThat(ping.received === ping.sent, `the PLC at ${plcAddress} to answer every ping`, ping.text);
  const [own] = await workloads.historian.ipJson<[{ address: string }]>('link', 'show', 'eth1');
  const seen = await neighbour(sites.a.plc, '10.20.0.21');
  expectThat(seen === own.address, `the PLC to know historian by its own MAC ${own.address}`, seen ?? 'none');
  return { detail: `PLC sees historian as ${seen}; ${ping.text}` };
}

/** Two machines of two sites, in which nothing runs: as if they hung on one switch. */
async function stretched({ devices }: Scene, gateway: Gateway): Promise<Seen> {
  const { address } = DEVICES.drive;
  const [own] = await devices.drive.ipJson<[{ address: string }]>('link', 'show', 'eth0');
  const isKnown = async (): Promise<boolean> => (await gateway.get('/v1/fdb')).body.includes(own.address);
  await until('the machines to reach each other', () => devices.sensor.reaches(address));
  await until('site b to know where the drive is', isKnown);
  const ping = await pinged(devices.sensor, address);
  expectThat(ping.received === ping.sent, 'the drive at the other site to answer every ping', ping.text);
  const seen = await neighbour(devices.sensor, address);
  expectThat(seen === own.address, `ARP to say that the drive is at ${own.address}, its own MAC`, seen ?? 'no answer');
  return { detail: `sensor at b sees drive at a as ${seen}; ${ping.text}` };
}

async function openPages(lab: Lab, scene: Scene, gateways: Gateways, pages: Pages): Promise<Seen> {
  for (const site of ['a', 'b'] as const) {
    const url = await exposePage(lab, scene.sites[site].gateway, gateways[site]);
    const health = await fetch(`${url}healthz`);
    expectThat(health.ok, `${url}healthz to answer 200`, `${health.status} ${await health.text()}`);
    pages[scene.names[site]] = url;
  }
  return { detail: Object.values(pages).join(' and ') };
}

type Pinged = { readonly sent: number; readonly received: number; readonly text: string };

async function pinged(from: Namespace, address: string, options: readonly string[] = []): Promise<Pinged> {
  const sent = 3;
  const argv = ['ping', '-n', '-c', String(sent), '-i', '0.2', '-W', '1', ...options, address];
  const { stdout } = await from.attempt(...argv);
  const received = Number(/(\d+) received/.exec(stdout)?.[1] ?? 0);
  const average = /= [\d.]+\/([\d.]+)\//.exec(stdout)?.[1];
  const time = average === undefined ? '' : `, ${Number(average).toFixed(2)} ms`;
  return { sent, received, text: `${received}/${sent} pings${time}` };
}

/** The MAC by which the namespace knows an address, or undefined where ARP got no answer. */
async function neighbour(namespace: Namespace, address: string): Promise<string | undefined> {
  const rows = await namespace.ipJson<{ dst: string; lladdr?: string }[]>('neigh', 'show', 'to', address);
  return rows[0]?.lladdr;
}
