import { deriveMac } from '../../src/model/mac.ts';
import { vxlanOverhead } from '../../src/model/vni.ts';
import type { Lab } from '../lab/lab.ts';
import type { Namespace } from '../lab/namespace.ts';
import { joinUnderlay } from '../lab/sites.ts';

export const TOPOLOGIES = ['underlay', 'kernel', 'bridge'] as const;
export type TopologyName = (typeof TOPOLOGIES)[number];

export const LABS = ['veth', 'wire'] as const;
export type LabName = (typeof LABS)[number];

/** Where a measurement's client and server run, and the server's address. */
export type Path = { readonly client: Namespace; readonly server: Namespace; readonly address: string };

type End = { readonly gateway: Namespace; readonly workload: Namespace; readonly index: 1 | 2 };

const UNDERLAY_MTU = 1500;
const BRIDGE_VNI = 19_540;
const KERNEL_VNI = 19_539;

// Without these the underlay must carry real packets of at most the MTU, as a gateway's plain Ethernet port does; with
// them a veth passes 64 KiB tunnel packets whole, and no VXLAN segmentation is measured at all.
const WIRE_FEATURES = ['tx-udp-segmentation', 'tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation', 'tso'];

const underlayOf = (index: 1 | 2): string => `198.51.100.${index}`;
const other = (index: 1 | 2): 1 | 2 => (index === 1 ? 2 : 1);
const macOf = (topology: TopologyName, index: 1 | 2): string => deriveMac(`bench-${topology}`, `workload-${index}`);

/** `ip` and `bridge` take a forwarding entry each: broadcast and unknown to the peer, and the peer's workload's MAC. */
async function pointAtPeer(end: End, device: string, peerMac: string): Promise<void> {
  for (const mac of ['00:00:00:00:00:00', peerMac]) {
    await end.gateway.exec('bridge', 'fdb', 'append', mac, 'dev', device, 'dst', underlayOf(other(end.index)));
  }
}

async function addVxlan(end: End, device: string, vni: number): Promise<void> {
  const local = underlayOf(end.index);
  await end.gateway.batch([
    `link add ${device} group ${vni} type vxlan id ${vni} local ${local} dstport 4789 nolearning`,
    `link set ${device} mtu ${UNDERLAY_MTU - vxlanOverhead(local)} up`,
  ]);
}

async function addressWorkload(end: End, address: string): Promise<void> {
  await end.workload.batch([`address add ${address}/24 dev eth0`, 'link set eth0 up']);
}

/** One gateway's side as Linkspan's kernel engine makes it: the workload is a macvlan child of the vxlan device. */
async function kernelSite(end: End, address: string): Promise<void> {
  await addVxlan(end, 'lsx-bench', KERNEL_VNI);
  await pointAtPeer(end, 'lsx-bench', macOf('kernel', other(end.index)));
  const child = `address ${macOf('kernel', end.index)} type macvlan mode bridge`;
  await end.gateway.ip(...`link add link lsx-bench name eth0 netns ${end.workload.name} ${child}`.split(' '));
  await addressWorkload(end, address);
}

/** One gateway's side as Docker's overlay driver and flannel make it: vxlan and veth meet in a bridge. */
async function bridgeSite(lab: Lab, end: End, address: string): Promise<void> {
  await addVxlan(end, 'vx-bench', BRIDGE_VNI);
  await pointAtPeer(end, 'vx-bench', macOf('bridge', other(end.index)));
  await lab.veth(end.gateway, 'vethw', end.workload, 'eth0');
  const mtu = UNDERLAY_MTU - vxlanOverhead(underlayOf(end.index));
  await end.gateway.ip('link', 'set', 'vethw', 'mtu', String(mtu));
  await end.workload.ip('link', 'set', 'eth0', 'mtu', String(mtu), 'address', macOf('bridge', end.index));
  await lab.bridge(end.gateway, 'br-bench', ['vx-bench', 'vethw']);
  await addressWorkload(end, address);
}

async function makeLikeWire(gateway: Namespace): Promise<void> {
  const off = WIRE_FEATURES.flatMap((feature) => [feature, 'off']);
  await gateway.exec('ethtool', '-K', 'wan0', ...off, 'gro', 'on');
}

async function overlayPath(
  lab: Lab,
  gateways: readonly [Namespace, Namespace],
  label: string,
  subnet: string,
  make: (end: End, address: string) => Promise<void>,
): Promise<Path> {
  const client = await lab.namespace(`${label}-a`);
  const server = await lab.namespace(`${label}-b`);
  await make({ gateway: gateways[0], workload: client, index: 1 }, `${subnet}.1`);
  await make({ gateway: gateways[1], workload: server, index: 2 }, `${subnet}.2`);
  return { client, server, address: `${subnet}.2` };
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
    kernel: await overlayPath(lab, gateways, `${name}-k`, '10.91.0', kernelSite),
    bridge: await overlayPath(lab, gateways, `${name}-b`, '10.92.0', (end, ip) => bridgeSite(lab, end, ip)),
  };
}
