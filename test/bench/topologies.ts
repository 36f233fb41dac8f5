import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deriveMac } from '../../src/model/mac.ts';
import { vxlanOverhead } from '../../src/model/vni.ts';
import { type Gateway, startGateway } from '../lab/gateway.ts';
import type { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { joinUnderlay } from '../lab/sites.ts';
import { until } from '../lab/wait.ts';

export const TOPOLOGIES = ['underlay', 'kernel', 'bridge'] as const;
export type TopologyName = (typeof TOPOLOGIES)[number];

export const LABS = ['veth', 'wire'] as const;
export type LabName = (typeof LABS)[number];

/** Where a measurement's client and server run, and the server's address. */
export type Path = { readonly client: Namespace; readonly server: Namespace; readonly address: string };

type End = { readonly gateway: Namespace; readonly workload: Namespace; readonly index: 1 | 2 };

const UNDERLAY_MTU = 1500;
const BRIDGE_VNI = 19_540;
const KERNEL_VNI = 19_541;
const BRIDGE_SUBNET = '10.92.0';
const KERNEL_SUBNET = '10.91.0';

// Without these the underlay must carry real packets of at most the MTU, as a gateway's plain Ethernet port does; with
// them a veth passes 64 KiB tunnel packets whole, and no VXLAN segmentation is measured at all.
const WIRE_FEATURES = ['tx-udp-segmentation', 'tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation', 'tso'];

const underlayOf = (index: 1 | 2): string => `198.51.100.${index}`;
const other = (index: 1 | 2): 1 | 2 => (index === 1 ? 2 : 1);
const macOf = (index: 1 | 2): string => deriveMac('bench-bridge', `workload-${index}`);

/** `ip` and `bridge` take a forwarding entry each: broadcast and unknown to the peer, and the peer's workload's MAC. */
async function pointAtPeer(end: End, device: string, peerMac: string): Promise<void> {
  for (const mac of ['00:00:00:00:00:00', peerMac]) {
    await end.gateway.exec('bridge', 'fdb', 'append', mac, 'dev', device, 'dst', underlayOf(other(end.index)));
  }
}

async function addVxlan(end: End, device: string, vni: number): Promise<void> {
  const local = underlayOf(end.index);
  await end.gateway.batch([
    `link add ${device} type vxlan id ${vni} local ${local} dstport 4789 nolearning`,
    `link set ${device} mtu ${UNDERLAY_MTU - vxlanOverhead(local)} up`,
  ]);
}

async function addressWorkload(end: End, address: string): Promise<void> {
  await end.workload.batch([`address add ${address}/24 dev eth0`, 'link set eth0 up']);
}

/** Linkspan itself at both ends: two services that find each other over the first one's broker, and then stand idle. */
async function kernelPath(lab: Lab, gateways: readonly [Namespace, Namespace], label: string): Promise<Path> {
  const client = await lab.namespace(`${label}-a`);
  const server = await lab.namespace(`${label}-b`);
  const ends: readonly End[] = [
    { gateway: gateways[0], workload: client, index: 1 },
    { gateway: gateways[1], workload: server, index: 2 },
  ];
  const services: Gateway[] = [];
  for (const end of ends) services.push(await startService(lab, end));
  for (const service of services) {
    await until('both sites to know each other', async () => (await service.status()).networks[0]?.peers === 1);
  }
  await until('the sites to reach each other', () => client.reaches(`${KERNEL_SUBNET}.2`));
  return { client, server, address: `${KERNEL_SUBNET}.2` };
}

async function startService(lab: Lab, { gateway, workload, index }: End): Promise<Gateway> {
  const broker = `${underlayOf(1)}:1883`;
  const config = {
    gateway: `bench-${index}-${process.pid}`,
    underlay: { address: underlayOf(index) },
    mqtt: index === 1 ? { url: '', embedded: { listen: broker } } : { url: `mqtt://${broker}` },
    status: { listen: '127.0.0.1:0' },
  };
  const service = await startGateway(lab, { namespace: gateway, config });
  const file = join(service.dir, 'bench.json');
  const networks = { bench: { driver: 'overlay', vni: KERNEL_VNI, subnet: `${KERNEL_SUBNET}.0/24` } };
  const endpoint = { sandbox: { netns: workload.name }, networks: { bench: { address: `${KERNEL_SUBNET}.${index}` } } };
  const spec = { networks, workloads: { [`workload-${index}`]: endpoint } };
  await writeFile(file, JSON.stringify({ v: 1, version: 1, spec }));
  const { code, stderr } = await service.cli('apply', '-f', file, '--wait', '20');
  if (code !== 0) throw new Error(`the bench's document was not applied: ${stderr}`);
  return service;
}

/** One gateway's side as Docker's overlay driver and flannel make it: vxlan and veth meet in a bridge. */
async function bridgeSite(lab: Lab, end: End, address: string): Promise<void> {
  await addVxlan(end, 'vx-bench', BRIDGE_VNI);
  await pointAtPeer(end, 'vx-bench', macOf(other(end.index)));
  await lab.veth(end.gateway, 'vethw', end.workload, 'eth0');
  const mtu = UNDERLAY_MTU - vxlanOverhead(underlayOf(end.index));
  await end.gateway.ip('link', 'set', 'vethw', 'mtu', String(mtu));
  await end.workload.ip('link', 'set', 'eth0', 'mtu', String(mtu), 'address', macOf(end.index));
  await lab.bridge(end.gateway, 'br-bench', ['vx-bench', 'vethw']);
  await addressWorkload(end, address);
}

async function makeLikeWire(gateway: Namespace): Promise<void> {
  const off = WIRE_FEATURES.flatMap((feature) => [feature, 'off']);
  await gateway.exec('ethtool', '-K', 'wan0', ...off, 'gro', 'on');
}

async function bridgePath(lab: Lab, gateways: readonly [Namespace, Namespace], label: string): Promise<Path> {
  const client = await lab.namespace(`${label}-a`);
  const server = await lab.namespace(`${label}-b`);
  await bridgeSite(lab, { gateway: gateways[0], workload: client, index: 1 }, `${BRIDGE_SUBNET}.1`);
  await bridgeSite(lab, { gateway: gateways[1], workload: server, index: 2 }, `${BRIDGE_SUBNET}.2`);
  return { client, server, address: `${BRIDGE_SUBNET}.2` };
}

/** All topologies over one underlay between two gateways; those that rest cost nothing. */
export async function buildTopologies(lab: Lab, name: LabName): Promise<Readonly<Record<TopologyName, Path>>> {
  const a = await lab.namespace(`${name}-gw-a`);
  const b = await lab.namespace(`${name}-gw-b`);
  await joinUnderlay(lab, a, b, UNDERLAY_MTU);
  if (name === 'wire') await Promise.all([makeLikeWire(a), makeLikeWire(b)]);
  const gateways = [a, b] as const;
  return {
    underlay: { client: a, server: b, address: underlayOf(2) },
    kernel: await kernelPath(lab, gateways, `${name}-k`),
    bridge: await bridgePath(lab, gateways, `${name}-b`),
  };
}
