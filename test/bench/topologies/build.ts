import type { Lab } from '../../lab/lab.ts';
import { bridgePath } from './bridge.ts';
import type { Ends, Gateways, LabName, Path } from './ends.ts';
import { makeEnds, makeGateways } from './ends.ts';
import { kernelPath } from './kernel.ts';
import { ovsPath } from './ovs.ts';
import { tincPath } from './tinc.ts';
import { userPath } from './user.ts';

export const TOPOLOGIES = ['underlay', 'kernel', 'user', 'bridge', 'tinc', 'ovs'] as const;
export type TopologyName = (typeof TOPOLOGIES)[number];

type Build = (lab: Lab, ends: Ends) => Promise<Path>;

const BUILDS: Readonly<Record<Exclude<TopologyName, 'underlay'>, Build>> = {
  kernel: kernelPath,
  user: userPath,
  bridge: bridgePath,
  tinc: tincPath,
  ovs: ovsPath,
};

/** Theirs is one underlay, since all of it is one kernel's; the others each bind a UDP port of the gateway. */
const TOGETHER: ReadonlySet<TopologyName> = new Set(['underlay', 'kernel', 'bridge']);

/** Makes gateways where there are none yet. */
type GatewaysFor = (topology: TopologyName) => Promise<Gateways>;

function gatewaysOf(lab: Lab, name: LabName): GatewaysFor {
  const made = new Map<string, Promise<Gateways>>();
  return (topology) => {
    const label = TOGETHER.has(topology) ? 'k' : topology;
    const gateways = made.get(label) ?? makeGateways(lab, name, label);
    made.set(label, gateways);
    return gateways;
  };
}

/** The chosen topologies, all of them at once; those that rest cost nothing. */
export async function buildTopologies(
  lab: Lab,
  name: LabName,
  chosen: readonly TopologyName[],
): Promise<ReadonlyMap<TopologyName, Path>> {
  const gatewaysFor = gatewaysOf(lab, name);
  const paths = new Map<TopologyName, Path>();
  for (const topology of chosen) {
    const gateways = await gatewaysFor(topology);
    paths.set(topology, await buildOne(lab, topology, gateways, `${name}-${topology}`));
  }
  return paths;
}

async function buildOne(lab: Lab, topology: TopologyName, gateways: Gateways, label: string): Promise<Path> {
  if (topology === 'underlay') {
    return { client: gateways[0], server: gateways[1], address: '198.51.100.2', datapaths: [] };
  }
  return BUILDS[topology](lab, await makeEnds(lab, gateways, label));
}
