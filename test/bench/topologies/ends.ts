import { vxlanOverhead } from '../../../src/model/vni.ts';
import { deriveMac } from '../../../src/model/derived-mac.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Namespace, NetworkNamespace } from '../../lab/namespace.ts';
import { joinUnderlay } from '../../lab/sites.ts';

export const LABS = ['veth', 'wire'] as const;
export type LabName = (typeof LABS)[number];

/** Where a measurement's client and server run, and the server's address. */
export type Path = {
  readonly client: NetworkNamespace;
  readonly server: NetworkNamespace;
  readonly address: string;
  /** the process at each gateway that every packet passes through; none where the kernel carries them */
  readonly datapaths: readonly number[];
};

/** One side of a topology: its gateway, and the workload behind it. */
export type End = {
  readonly index: 1 | 2;
  readonly gateway: Namespace;
  readonly workload: Namespace;
  /** the workload's MAC, and that of the workload at the other side */
  readonly mac: string;
  readonly peerMac: string;
  /** the gateway's address on the underlay, and the other gateway's */
  readonly underlay: string;
  readonly peerUnderlay: string;
};

export type Ends = readonly [End, End];
export type Gateways = readonly [Namespace, Namespace];

const UNDERLAY_MTU = 1500;

// Without these the underlay must carry real packets of at most the MTU, as a gateway's plain Ethernet port does; with
// them a veth passes 64 KiB tunnel packets whole, and no VXLAN segmentation is measured at all.
const WIRE_FEATURES = ['tx-udp-segmentation', 'tx-udp_tnl-segmentation', 'tx-udp_tnl-csum-segmentation', 'tso'];

const underlayOf = (index: 1 | 2): string => `198.51.100.${index}`;

/** Of every topology's workloads alike, so that all carry packets of the same size. */
export const OVERLAY_MTU = UNDERLAY_MTU - vxlanOverhead(underlayOf(1));

async function makeLikeWire(gateway: Namespace): Promise<void> {
  const off = WIRE_FEATURES.flatMap((feature) => [feature, 'off']);
  await gateway.exec('ethtool', '-K', 'wan0', ...off, 'gro', 'on');
}

/** Two gateways and the underlay between them, of the same settings whatever topology they are for. */
export async function makeGateways(lab: Lab, name: LabName, label: string): Promise<Gateways> {
  const a = await lab.namespace(`${name}-${label}-gw-a`);
  const b = await lab.namespace(`${name}-${label}-gw-b`);
  await joinUnderlay(lab, a, b, UNDERLAY_MTU);
  if (name === 'wire') await Promise.all([makeLikeWire(a), makeLikeWire(b)]);
  return [a, b];
}

/** Both sides of a topology, each with a namespace for its workload. */
export async function makeEnds(lab: Lab, [a, b]: Gateways, label: string): Promise<Ends> {
  const end = async (index: 1 | 2, gateway: Namespace, letter: string): Promise<End> => {
    const peer = index === 1 ? 2 : 1;
    return {
      index,
      gateway,
      workload: await lab.namespace(`${label}-${letter}`),
      mac: deriveMac('bench', `workload-${index}`),
      peerMac: deriveMac('bench', `workload-${peer}`),
      underlay: underlayOf(index),
      peerUnderlay: underlayOf(peer),
    };
  };
  return [await end(1, a, 'a'), await end(2, b, 'b')];
}

/** The path from the first end's workload to the second's; `subnet` is the first three bytes of their addresses. */
export function pathOf([a, b]: Ends, subnet: string, datapaths: readonly number[] = []): Path {
  return { client: a.workload, server: b.workload, address: `${subnet}.2`, datapaths };
}
