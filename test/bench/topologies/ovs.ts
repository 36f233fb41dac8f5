import { addChild } from '../../lab/datapath.ts';
import type { Lab } from '../../lab/lab.ts';
import { OVS_PORT, startOpenVswitch } from '../../lab/ovs.ts';
import { until } from '../../lab/wait.ts';
import type { Ends, Path } from './ends.ts';
import { OVERLAY_MTU, pathOf } from './ends.ts';

const VNI = 19_543;
const SUBNET = '10.95.0';

/** Open vSwitch's datapath in user space (`netdev`), with a vxlan port. */
export async function ovsPath(lab: Lab, ends: Ends): Promise<Path> {
  const datapaths: number[] = [];
  for (const { gateway, underlay, peerUnderlay, workload, mac, index } of ends) {
    datapaths.push(await startOpenVswitch(lab, { gateway, underlay, peerUnderlay, vni: VNI }));
    await addChild(gateway, OVS_PORT, workload, { mac, addresses: [`${SUBNET}.${index}/24`], mtu: OVERLAY_MTU });
  }
  const path = pathOf(ends, SUBNET, datapaths);
  await until('Open vSwitch to carry packets', () => path.client.reaches(path.address), 30_000);
  return path;
}
