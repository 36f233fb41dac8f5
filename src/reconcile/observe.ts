import { readFdb } from '../host/fdb.ts';
import type { FdbRow } from '../host/fdb.ts';
import { type ObservedFirewall, readFirewall } from '../host/firewall.ts';
import { type ObservedForwarding, readForwarding } from '../host/forwarding.ts';
import { type ObservedLink, readLinks } from '../host/links.ts';
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
  readonly underlay: { readonly address: string; readonly device: string; readonly mtu: number } | undefined;
  /** by namespace path; undefined where the namespace is gone */
  readonly sandboxes: ReadonlyMap<string, ObservedSandbox | undefined>;
};

/**
 * Reads everything that Linkspan manages, in the own namespace and in the given sandboxes.
 * @param underlayAddress the VTEP address of the bootstrap file, or empty for the default route's source
 */
export async function observe(underlayAddress: string, sandboxPaths: ReadonlySet<string>): Promise<Observation> {
  const [links, fdb, routes, firewall, forwarding, source, sandboxes] = await Promise.all([
    readLinks(),
    readFdb(),
    readRoutes(),
    readFirewall(),
    readForwarding(),
    // canonical, as the kernel writes it
    underlayAddress === '' ? defaultSource() : parseIp(underlayAddress),
    Promise.all([...sandboxPaths].map(async (path) => [path, await readSandbox(path)] as const)),
  ]);
  const underlay = findUnderlay(links, source);
  return { links, fdb, routes, firewall, forwarding, underlay, sandboxes: new Map(sandboxes) };
}

function findUnderlay(links: readonly ObservedLink[], address: string | undefined): Observation['underlay'] {
  const link = links.find(
    (candidate) => !candidate.ours && candidate.addresses.some((own) => own.split('/')[0] === address),
  );
  return link === undefined || address === undefined ? undefined : { address, device: link.name, mtu: link.mtu };
}
