import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './exec.ts';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import { until } from './wait.ts';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** The switch's own interface, as which a workload hangs on it. */
export const OVS_PORT = 'int0';

export type OvsVtep = {
  readonly gateway: Namespace;
  /** the gateway's address on `wan0`, which the switch takes over, and the other gateway's */
  readonly underlay: string;
  readonly peerUnderlay: string;
  readonly vni: number;
};

/** Open vSwitch's datapath in user space (`netdev`) as a VTEP; resolves with the process id of its ovs-vswitchd. */
export async function startOpenVswitch(lab: Lab, vtep: OvsVtep): Promise<number> {
  const { gateway } = vtep;
  const dir = await lab.folder();
  const database = await startDatabase(lab, gateway, dir);
  const daemon = await lab.process(gateway, ['ovs-vswitchd', database], privatePaths(dir));
  await gateway.exec('ovs-vsctl', `--db=${database}`, '--timeout=20', ...bridges(vtep));
  await moveUnderlay(vtep);
  await gateway.ip('link', 'set', OVS_PORT, 'up');
  return daemon.pid;
}

const privatePaths = (dir: string): Record<string, string> => ({ OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir });

/** Starts the database that its daemon is configured by; resolves with how to reach it. */
async function startDatabase(lab: Lab, gateway: Namespace, dir: string): Promise<string> {
  const file = join(dir, 'conf.db');
  const socket = join(dir, 'db.sock');
  await run(['ovsdb-tool', 'create', file, SCHEMA]);
  await lab.process(gateway, ['ovsdb-server', file, `--remote=punix:${socket}`], privatePaths(dir));
  await until("Open vSwitch's database to listen", () => existsSync(socket));
  return `unix:${socket}`;
}

/** One bridge on the underlay's port, whose address the tunnel sends from, and one that joins tunnel and workload. */
function bridges({ peerUnderlay, vni }: OvsVtep): readonly string[] {
  const commands = [
    'add-br br-phy',
    'set bridge br-phy datapath_type=netdev',
    'add-port br-phy wan0',
    'add-br br-int',
    'set bridge br-int datapath_type=netdev',
    'add-port br-int vx0',
    `set interface vx0 type=vxlan options:remote_ip=${peerUnderlay} options:key=${vni}`,
    `add-port br-int ${OVS_PORT}`,
    `set interface ${OVS_PORT} type=internal`,
  ];
  return commands.join(' -- ').split(' ');
}

/** The address goes to the bridge; the kernel must not answer what the switch reads from the port as well. */
async function moveUnderlay({ gateway, underlay }: OvsVtep): Promise<void> {
  await gateway.batch(['address flush dev wan0', `address add ${underlay}/24 dev br-phy`, 'link set br-phy up']);
  await run(gateway.inside(['nft', '-f', '-']), {
    input: 'table netdev ovs { chain port { type filter hook ingress device wan0 priority 0; policy drop; }; }\n',
  });
}
