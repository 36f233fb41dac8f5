import type { Vni } from '../../../src/model/vni.ts';
import { addChild, addTap, oneNetwork, startDatapath } from '../../lab/datapath.ts';
import type { Lab } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import type { End, Ends, Path } from './ends.ts';
import { OVERLAY_MTU, pathOf } from './ends.ts';

const VNI = 19_542 as Vni;
const PORT = 4789;
const SUBNET = '10.93.0';
const TAP = 'tap0';

/** Linkspan's user engine at both ends, told what two services would tell it. */
export async function userPath(lab: Lab, ends: Ends): Promise<Path> {
  const datapaths: number[] = [];
  for (const end of ends) datapaths.push(await startEngine(lab, end));
  const path = pathOf(ends, SUBNET, datapaths);
  await until('the user engines to carry packets', () => path.client.reaches(path.address));
  return path;
}

/** One end; resolves with its datapath's process id. */
async function startEngine(lab: Lab, end: End): Promise<number> {
  const { gateway, workload, mac, index } = end;
  await addTap(gateway, TAP, OVERLAY_MTU);
  const datapath = await startDatapath(lab, gateway);
  const peer = { ip: end.peerUnderlay, port: PORT, macs: [end.peerMac] };
  const network = oneNetwork(VNI, TAP, peer, { mtu: OVERLAY_MTU });
  await datapath.set({ v: 1, vtep: { ip: end.underlay, port: PORT }, networks: [network] });
  await addChild(gateway, TAP, workload, { mac, addresses: [`${SUBNET}.${index}/24`], mtu: OVERLAY_MTU });
  return datapath.process.pid;
}
