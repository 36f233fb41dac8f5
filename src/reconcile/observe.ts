import { readFdb } from '../host/fdb.ts';
import type { FdbRow } from '../host/fdb.ts';
import { type ObservedFirewall, readFirewall } from '../host/firewall.ts';
import { type ObservedForwarding, readForwarding } from '../host/forwarding.ts';
import type { Underlay } from '../drivers/driver.ts';
import { type ObservedLink, readLinks } from '../host/links.ts';
import { readGro, readReceiveChecksum } from '../host/offloads.ts';
import { defaultSource, type HostRoute, readRoutes } from '../host/routes.ts';
import { type ObservedSandbox, readSandbox } from '../host/sandbox.ts';
import { parseIp } from '../model/ip.ts';

/** The kernel as one cycle saw it. */
export type Observation = {
  readonly links: readonly ObservedLink[];
  readonly fdb: ReadonlyMap<string, readonly FdbRow[]>;
  readonly routes: readonly HostRoute[];
  readonly firewall: ObservedFirewall | undefined;
  readonly forwarding: ObservedForwarding;
  readonly underlay: Underlay | undefined;
  /** by namespace path; undefined where the namespace is gone */
  readonly sandboxes: ReadonlyMap<string, ObservedSandbox | undefined>;
};

/**
 * Reads everything that Linkspan manages, in the own namespace and in the given sandboxes.
 * @param underlayAddress the VTEP address of the bootstrap file, or empty for the default route's source
 */
export async function observe(underlayAddress: string, sandboxPaths: ReadonlySet<string>): Promise<Observation> {
  const [found, fdb, routes, firewall, forwarding, source, sandboxes] = await Promise.all([
    readLinks(),
    readFdb(),
    readRoutes(),
    readFirewall(),
    readForwarding(),
    // canonical, as the kernel writes it
    underlayAddress === '' ? defaultSource() : parseIp(underlayAddress),
    Promise.all([...sandboxPaths].map(async (path) => [path, await readSandbox(path)] as const)),
  ]);
  const links = found.map((link) => (link.ours && link.kind === 'vxlan' ? withGro(link) : link));
  const underlay = findUnderlay(links, source);
  return { links, fdb, routes, firewall, forwarding, underlay, sandboxes: new Map(sandboxes) };
}

function withGro(link: ObservedLink): ObservedLink {
  return { ...link, gro: readGro(link.name) };
}

function findUnderlay(links: readonly ObservedLink[], address: string | undefined): Observation['underlay'] {
  const link = links.find(
    (candidate) => !candidate.ours && candidate.addresses.some((own) => own.split('/')[0] === address),
  );
  if (link === undefined || address === undefined) return undefined;
  return { address, device: link.name, mtu: link.mtu, joins: joins(link) };
}

/** What comes through a veth was joined by the interface that took it from the wire; a veth itself joins nothing. */
function joins(link: ObservedLink): boolean {
  return link.kind === 'veth' || (readGro(link.name) === true && readReceiveChecksum(link.name) === true);
}
