import type { Lab } from '../../lab/lab.ts';
import type { End, Ends, Path } from './ends.ts';
import { OVERLAY_MTU, pathOf } from './ends.ts';

const VNI = 19_540;
const SUBNET = '10.92.0';

/** As Docker's overlay driver and flannel do it: vxlan and veth meet in a bridge. */
export async function bridgePath(lab: Lab, ends: Ends): Promise<Path> {
  for (const end of ends) await bridgeSite(lab, end);
  return pathOf(ends, SUBNET);
}

async function bridgeSite(lab: Lab, end: End): Promise<void> {
  const { gateway, workload, mac, index } = end;
  await addVxlan(end);
  await lab.veth(gateway, 'vethw', workload, 'eth0');
  await gateway.ip('link', 'set', 'vethw', 'mtu', String(OVERLAY_MTU));
  await workload.batch([
    `link set eth0 mtu ${OVERLAY_MTU} address ${mac}`,
    `address add ${SUBNET}.${index}/24 dev eth0`,
    'link set eth0 up',
  ]);
  await lab.bridge(gateway, 'br-bench', ['vx-bench', 'vethw']);
}

/** Broadcast and unknown go to the peer, and so does its workload's MAC. */
async function addVxlan({ gateway, underlay, peerUnderlay, peerMac }: End): Promise<void> {
  await gateway.batch([
    `link add vx-bench type vxlan id ${VNI} local ${underlay} dstport 4789 nolearning`,
    `link set vx-bench mtu ${OVERLAY_MTU} up`,
  ]);
  for (const mac of ['00:00:00:00:00:00', peerMac]) {
    await gateway.exec('bridge', 'fdb', 'append', mac, 'dev', 'vx-bench', 'dst', peerUnderlay);
  }
}
