import { fileURLToPath } from 'node:url';
import { startDatapath } from './datapath.ts';
import { run } from './exec.ts';
import type { Gateway } from './gateway.ts';
import { startGateway } from './gateway.ts';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import type { Site, Sites } from './sites.ts';
import { twoSites } from './sites.ts';

const OPERATOR = fileURLToPath(new URL('demo-operator.ts', import.meta.url));

export const FLEET = 'demo';
export const BROKER = 'mqtt://198.51.100.1:1883';
export const LINE1 = 10_110;
export const LINE2 = 10_120;
export const HALL = 10_130;

export type Workloads = Record<'historian' | 'press' | 'packer' | 'robot' | 'oven', Namespace>;

/** Machines of the plant, on which nothing of Linkspan's runs: each behind its gateway's `hall0`. */
export const DEVICES = {
  drive: { site: 'a', address: '10.130.0.41' },
  sensor: { site: 'b', address: '10.130.0.51' },
} as const;

export type Devices = Record<keyof typeof DEVICES, Namespace>;

export type Address = { readonly network: 'line1' | 'line2' | 'plant'; readonly address: string };

/** Who has which addresses at which site; the first network becomes the workload's eth0, the second its eth1. */
export const PLAN: Readonly<Record<keyof Workloads, { site: 'a' | 'b'; on: readonly [Address, ...Address[]] }>> = {
  historian: {
    site: 'a',
    on: [
      { network: 'line1', address: '10.110.0.21' },
      { network: 'plant', address: '10.20.0.21' },
    ],
  },
  press: { site: 'a', on: [{ network: 'line1', address: '10.110.0.22' }] },
  packer: { site: 'a', on: [{ network: 'line2', address: '10.120.0.21' }] },
  robot: { site: 'b', on: [{ network: 'line1', address: '10.110.0.31' }] },
  oven: { site: 'b', on: [{ network: 'line2', address: '10.120.0.31' }] },
};

export type Scene = {
  readonly sites: Sites;
  readonly workloads: Workloads;
  readonly devices: Devices;
  /**
   * The gateways' names on the wire. They carry this run's process id, since a gateway looks for interfaces of its name
   * in every named namespace, and a demo next to this one has its own gw-a.
   */
  readonly names: { readonly a: string; readonly b: string };
  /** set once they run */
  readonly gateways: { a?: Gateway; b?: Gateway };
};

async function buildDevice(lab: Lab, sites: Sites, name: keyof Devices): Promise<Namespace> {
  const { site, address } = DEVICES[name];
  const device = await lab.namespace(`${site}-${name}`);
  await lab.veth(sites[site].gateway, 'hall0', device, 'eth0');
  await device.ip('address', 'add', `${address}/24`, 'dev', 'eth0');
  return device;
}

/** The sites, the machines and empty namespaces for the workloads; no gateway runs yet. */
export async function buildScene(lab: Lab): Promise<Scene> {
  const sites = await twoSites(lab);
  const entries = Object.entries(PLAN).map(async ([name, { site }]) => [name, await sites[site].workload(name)]);
  const workloads = Object.fromEntries((await Promise.all(entries)) as [string, Namespace][]) as Workloads;
  const devices = { drive: await buildDevice(lab, sites, 'drive'), sensor: await buildDevice(lab, sites, 'sensor') };
  return { sites, workloads, devices, names: { a: `gw-a-${process.pid}`, b: `gw-b-${process.pid}` }, gateways: {} };
}

/** Starts both gateways, each with its datapath; the broker is embedded in the one at site a. */
export async function startGateways(lab: Lab, scene: Scene): Promise<{ readonly a: Gateway; readonly b: Gateway }> {
  // A veth claims to offload what is inside a tunnel: packets of the kernel's vxlan, whole in the lab, would reach the
  // other site's user engine with checksums that nobody finished. A network card finishes them.
  await scene.sites.a.gateway.exec('ethtool', '-K', 'wan0', 'tx', 'off');
  const start = async (site: Site, gateway: string, url: string): Promise<Gateway> => {
    const { dir, socket } = await startDatapath(lab, site.gateway);
    const config = { gateway, fleet: FLEET, underlay: { address: site.underlay }, mqtt: { url }, datapath: { socket } };
    return startGateway(lab, { namespace: site.gateway, config, dir });
  };
  scene.gateways.a = await start(scene.sites.a, scene.names.a, '');
  scene.gateways.b = await start(scene.sites.b, scene.names.b, BROKER);
  return { a: scene.gateways.a, b: scene.gateways.b };
}

/** The desired document of one site. */
export function documentOf(scene: Scene, site: 'a' | 'b'): Record<string, unknown> {
  const here = Object.entries(PLAN).filter(([, plan]) => plan.site === site);
  const workloads = here.map(([name, { on }]) => [
    name,
    {
      sandbox: { netns: scene.workloads[name as keyof Workloads].name },
      networks: Object.fromEntries(on.map(({ network, address }) => [network, { address }])),
    },
  ]);
  // One site on each engine, where the kernel has its own.
  const engine = site === 'a' ? 'auto' : 'user';
  const networks = {
    line1: { driver: 'overlay', vni: LINE1, subnet: '10.110.0.0/24', engine },
    line2: { driver: 'overlay', vni: LINE2, subnet: '10.120.0.0/24', engine },
    hall: { driver: 'overlay', vni: HALL, subnet: '10.130.0.0/24', engine, stretch: { uplink: 'hall' } },
    plant: { driver: 'macvlan', uplink: 'lan', subnet: '10.20.0.0/24' },
  };
  const uplinks = { lan: { interface: 'lan0' }, hall: { interface: 'hall0' } };
  return { v: 1, version: 1, spec: { uplinks, networks, workloads: Object.fromEntries(workloads) } };
}

/** Publishes retained messages to the broker, from the namespace of site a's gateway. */
export async function publish(scene: Scene, messages: Readonly<Record<string, string>>): Promise<void> {
  const argv = [process.execPath, OPERATOR, BROKER, 'publish'];
  await run(scene.sites.a.gateway.inside(argv), { input: JSON.stringify(messages), timeoutMs: 15_000 });
}

/** What the broker retains under a topic filter, by topic. */
export async function retained(scene: Scene, filter: string): Promise<Record<string, string>> {
  const argv = [process.execPath, OPERATOR, BROKER, 'read', filter];
  const { stdout } = await run(scene.sites.a.gateway.inside(argv), { timeoutMs: 15_000 });
  return JSON.parse(stdout) as Record<string, string>;
}
