import type { Gateway } from '../../lab/gateway.ts';
import { startGateway } from '../../lab/gateway.ts';
import { Lab } from '../../lab/lab.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { type Site, twoSites } from '../../lab/sites.ts';
import { builtService } from './built.ts';
import { type Spec, workload } from './documents.ts';
import { gatewayName } from './names.ts';

/** The gateway's own addresses on the plant's switch; the PLC has .10 there. */
export const PLANT = { 4: '10.20.0.1', 6: 'fd00:20::1' } as const;
export const PLC = { 4: '10.20.0.10', 6: 'fd00:20::10' } as const;

const CELL = { driver: 'bridge', subnet: '172.30.0.0/24', subnet6: 'fd00:30::/64' };
const CELL2 = { driver: 'bridge', subnet: '172.31.0.0/24', subnet6: 'fd00:31::/64' };

/** Where the workloads are: w1 and w2 on `cell`, w3 on `cell2`. */
export const AT = {
  w1: { address: '172.30.0.31', address6: 'fd00:30::31' },
  w2: { address: '172.30.0.32', address6: 'fd00:30::32' },
  w3: { address: '172.31.0.33', address6: 'fd00:31::33' },
} as const;

/** A gateway with a plant behind it (`site`), another host before it (`wan`, which has the gateway as a neighbour), and three workloads. */
export type CellLab = {
  readonly lab: Lab;
  readonly site: Site;
  readonly wan: Namespace;
  readonly gateway: Gateway;
  readonly workloads: readonly [Namespace, Namespace, Namespace];
  /** another service on the same state, after a stop */
  readonly restart: () => Promise<Gateway>;
  /** both networks and their workloads, w1 publishing; `network` is added to cell's keys */
  readonly cells: (publish: readonly string[], network?: object) => Spec;
  /** a setting under /proc/sys/net of the gateway's namespace */
  readonly sysctl: (name: string, value: number) => Promise<unknown>;
};

/** @param over keys of the bootstrap file; without them, no broker is ever reached */
export async function cellLab(over: Record<string, unknown> = {}): Promise<CellLab> {
  builtService();
  const lab = new Lab();
  const { a: site, b } = await twoSites(lab);
  const workloads = [await site.workload('w1'), await site.workload('w2'), await site.workload('w3')] as const;
  await site.gateway.batch([`address add ${PLANT[4]}/24 dev lan0`, `address add ${PLANT[6]}/64 dev lan0 nodad`]);
  await site.plc.ip('address', 'add', `${PLC[6]}/64`, 'dev', 'eth0', 'nodad');
  const sysctl = (name: string, value: number): Promise<unknown> =>
    site.gateway.exec('sh', '-c', `echo ${value} >/proc/sys/net/${name}`);
  await sysctl('ipv4/ip_forward', 0);
  const config = {
    gateway: gatewayName('a'),
    underlay: { address: site.underlay },
    mqtt: { url: 'mqtt://127.0.0.1:9' },
    status: { listen: '127.0.0.1:0' },
    ...over,
  };
  const gateway = await startGateway(lab, { namespace: site.gateway, config });
  const { dir } = gateway;
  return {
    lab,
    site,
    wan: b.gateway,
    gateway,
    workloads,
    restart: () => startGateway(lab, { namespace: site.gateway, config, dir }),
    cells: (publish, network) => cellsOf(workloads, publish, network),
    sysctl,
  };
}

function cellsOf([w1, w2, w3]: CellLab['workloads'], publish: readonly string[], network: object = {}): Spec {
  return {
    networks: { cell: { ...CELL, ...network }, cell2: CELL2 },
    workloads: {
      w1: workload(w1, { cell: { ...AT.w1, ...(publish.length > 0 && { publish }) } }),
      w2: workload(w2, { cell: AT.w2 }),
      w3: workload(w3, { cell2: AT.w3 }),
    },
  };
}
