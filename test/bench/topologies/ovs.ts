import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { addChild } from '../../lab/datapath.ts';
import { run } from '../../lab/exec.ts';
import type { Lab } from '../../lab/lab.ts';
import { until } from '../../lab/wait.ts';
import type { End, Ends, Path } from './ends.ts';
import { OVERLAY_MTU, pathOf } from './ends.ts';

const VNI = 19_543;
const SUBNET = '10.95.0';
const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const PORT = 'int0';

/** Open vSwitch's datapath in user space (`netdev`), with a vxlan port. */
export async function ovsPath(lab: Lab, ends: Ends): Promise<Path> {
  const datapaths: number[] = [];
  for (const end of ends) datapaths.push(await startSwitch(lab, end));
  const path = pathOf(ends, SUBNET, datapaths);
  await until('Open vSwitch to carry packets', () => path.client.reaches(path.address), 30_000);
  return path;
}

/** One end; resolves with the process id of its ovs-vswitchd. */
async function startSwitch(lab: Lab, end: End): Promise<number> {
  const { gateway, workload, mac, index } = end;
  const dir = await lab.folder();
  const database = await startDatabase(lab, end, dir);
  const daemon = await lab.process(gateway, ['ovs-vswitchd', database], privatePaths(dir));
  await gateway.exec('ovs-vsctl', `--db=${database}`, '--timeout=20', ...bridges(end));
  await moveUnderlay(end);
  await gateway.ip('link', 'set', PORT, 'up');
  await addChild(gateway, PORT, workload, { mac, addresses: [`${SUBNET}.${index}/24`], mtu: OVERLAY_MTU });
  return daemon.pid;
}

const privatePaths = (dir: string): Record<string, string> => ({ OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir });

/** Starts the database that its daemon is configured by; resolves with how to reach it. */
async function startDatabase(lab: Lab, { gateway }: End, dir: string): Promise<string> {
  const file = join(dir, 'conf.db');
  const socket = join(dir, 'db.sock');
  await run(['ovsdb-tool', 'create', file, SCHEMA]);
  await lab.process(gateway, ['ovsdb-server', file, `--remote=punix:${socket}`], privatePaths(dir));
  await until("Open vSwitch's database to listen", () => existsSync(socket));
  return `unix:${socket}`;
}

/** One bridge on the underlay's port, whose address the tunnel sends from, and one that joins tunnel and workload. */
function bridges({ peerUnderlay }: End): readonly string[] {
  const commands = [
    'add-br br-phy',
    'set bridge br-phy datapath_type=netdev',
    'add-port br-phy wan0',
    'add-br br-int',
    'set bridge br-int datapath_type=netdev',
    'add-port br-int vx0',
    `set interface vx0 type=vxlan options:remote_ip=${peerUnderlay} options:key=${VNI}`,
    `add-port br-int ${PORT}`,
    `set interface ${PORT} type=internal`,
  ];
  return commands.join(' -- ').split(' ');
}

/** The address goes to the bridge; the kernel must not answer what the switch reads from the port as well. */
async function moveUnderlay({ gateway, underlay }: End): Promise<void> {
  await gateway.batch(['address flush dev wan0', `address add ${underlay}/24 dev br-phy`, 'link set br-phy up']);
  await run(gateway.inside(['nft', '-f', '-']), {
    input: 'table netdev bench { chain port { type filter hook ingress device wan0 priority 0; policy drop; }; }\n',
  });
}
