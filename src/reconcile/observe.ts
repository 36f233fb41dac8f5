import { type BridgeEntry, readBridges } from '../host/bridge-fdb.ts';
import { readFdb } from '../host/fdb.ts';
import type { FdbRow } from '../host/fdb.ts';
import { type ObservedDockers, readDockers } from '../host/docker-user.ts';
import { type ObservedFirewall, readFirewall } from '../host/firewall.ts';
import { readDatapath } from '../host/datapath-client.ts';
import { canAnswer, type ObservedNeighbours, readNeighbourTables } from '../host/neighbour-tables.ts';
import { hasVxlan } from '../host/vxlan.ts';
import type { DatapathStatus } from '../datapath/status.ts';
import { type ObservedGuards, readGuards } from '../host/guard-tables.ts';
import { type ObservedForwarding, readForwarding } from '../host/forwarding.ts';
import type { Underlay } from '../drivers/driver.ts';
import { isSwitch } from '../drivers/naming.ts';
import { roleOf } from '../drivers/role.ts';
import { type ObservedLink, readLinks } from '../host/links.ts';
import { type Listener, readListeners } from '../host/listeners.ts';
import { readGro, readReceiveChecksum } from '../host/offloads.ts';
import { defaultSource, type HostRoute, readRoutes } from '../host/routes.ts';
import { type ObservedSandbox, readSandbox } from '../host/sandbox.ts';
import { isShielded } from '../host/shield.ts';
import { readWireless, type Wireless } from '../host/wireless.ts';
import { parseIp } from '../model/ip.ts';

/** The kernel as one cycle saw it. */
export type Observation = {
  readonly links: readonly ObservedLink[];
  /** names of ours from which the host takes what it shall not */
  readonly unshielded?: ReadonlySet<string>;
  readonly fdb: ReadonlyMap<string, readonly FdbRow[]>;
  /** tables of the bridges of stretched overlays */
  readonly bridges: ReadonlyMap<string, readonly BridgeEntry[]>;
  readonly routes: readonly HostRoute[];
  readonly firewall: ObservedFirewall;
  readonly dockers: ObservedDockers;
  readonly guards: ObservedGuards;
  /** what answers for workloads at other sites, by port; and whether the kernel takes the rules for that */
  readonly neighbours: ReadonlyMap<string, ObservedNeighbours>;
  readonly answers: boolean;
  /** the host's own services at ports that shall be published */
  readonly listeners: readonly Listener[];
  readonly forwarding: ObservedForwarding;
  readonly underlay: Underlay | undefined;
  /** whether the kernel has vxlan */
  readonly vxlan: boolean;
  /** what linkspan-datapath says of itself; undefined where it does not answer */
  readonly datapath: DatapathStatus | undefined;
  /** by namespace path; undefined where the namespace is gone */
  readonly sandboxes: ReadonlyMap<string, ObservedSandbox | undefined>;
};

export type ObserveOptions = {
  /** the VTEP address of the bootstrap file, or empty for the default route's source */
  readonly underlayAddress: string;
  readonly sandboxPaths: ReadonlySet<string>;
  /** of linkspan-datapath; empty: there is none */
  readonly datapathSocket: string;
  /** whether it matters if the kernel has vxlan: to ask loads its module */
  readonly overlays: boolean;
  /** whether networks stand on uplinks, of which it matters if they are wireless */
  readonly uplinks: boolean;
  /** whether bridges are wanted, which Docker's rules matter to */
  readonly bridges: boolean;
  /** ports that shall be published, each `PROTOCOL PORT` */
  readonly ports: ReadonlySet<string>;
};

/** Reads everything that Linkspan manages, in the own namespace and in the given sandboxes. */
export async function observe(options: ObserveOptions): Promise<Observation> {
  const { underlayAddress, sandboxPaths, datapathSocket } = options;
  const found = await readLinks();
  const switches = found.filter((link) => link.ours && isSwitch(link.alias));
  const [wireless, fdb, bridges, routes, rules, guards, neighbours, listeners, source, datapath, sandboxes] =
    await Promise.all([
      options.uplinks ? readWireless() : NONE,
      readFdb(found),
      readBridges(switches, found),
      readRoutes(found),
      readRules(options.bridges),
      readGuards(options.overlays),
      readNeighbourTables(),
      readListeners(options.ports),
      // canonical, as the kernel writes it
      underlayAddress === '' ? defaultSource() : parseIp(underlayAddress),
      datapathSocket === '' ? undefined : readDatapath(datapathSocket),
      Promise.all([...sandboxPaths].map(async (path) => [path, await readSandbox(path)] as const)),
    ]);
  const links = found.map((link) => withMore(link, wireless));
  const underlay = findUnderlay(links, source);
  const vxlan = options.overlays && (await hasVxlan(found));
  const answers = vxlan && (await canAnswer());
  const unshielded = new Set(found.filter((link) => link.ours && !hasShield(link)).map(({ name }) => name));
  const host = {
    links,
    unshielded,
    fdb,
    bridges,
    routes,
    ...rules,
    guards,
    neighbours,
    answers,
    listeners,
    forwarding: readForwarding(),
    underlay,
    vxlan,
  };
  return { ...host, datapath, sandboxes: new Map(sandboxes) };
}

/** Docker's rules are asked for only where ours may have to be among them. */
async function readRules(bridges: boolean): Promise<Pick<Observation, 'firewall' | 'dockers'>> {
  if (bridges) {
    const [firewall, dockers] = await Promise.all([readFirewall(), readDockers()]);
    return { firewall, dockers };
  }
  const firewall = await readFirewall();
  return { firewall, dockers: firewall.inet === undefined ? { 4: undefined, 6: undefined } : await readDockers() };
}

function hasShield({ name, kind, alias }: ObservedLink): boolean {
  return isShielded(name, roleOf(kind, alias));
}

const NONE: ReadonlyMap<number, Wireless> = new Map();

function withMore(link: ObservedLink, wireless: ReadonlyMap<number, Wireless>): ObservedLink {
  const radio = wireless.get(link.index);
  if (radio !== undefined) return { ...link, wireless: radio };
  return link.ours && link.kind === 'vxlan' ? { ...link, gro: readGro(link.name) } : link;
}

function findUnderlay(links: readonly ObservedLink[], address: string | undefined): Observation['underlay'] {
  const link = links.find(
    (candidate) => !candidate.ours && candidate.addresses.some((own) => own.split('/')[0] === address),
  );
  if (link === undefined || address === undefined) return undefined;
  return { address, device: link.name, index: link.index, mtu: link.mtu, joins: joins(link) };
}

/** What comes through a veth was joined by the interface that took it from the wire; a veth itself joins nothing. */
function joins(link: ObservedLink): boolean {
  return link.kind === 'veth' || (readGro(link.name) === true && readReceiveChecksum(link.name) === true);
}
