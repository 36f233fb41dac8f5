import { join } from 'node:path';
import Database from 'better-sqlite3';
import { run } from '../../lab/exec.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { kernelState } from '../../netns/support/kernel-state.ts';
import type { DockerSite } from './site.ts';

/** All that the service keeps but documents and its counters. */
const TABLES = [
  'docker_networks',
  'docker_endpoints',
  'docker_addresses',
  'dhcp_leases',
  'leases',
  'attachments',
  'endpoints',
] as const;

/**
 * What containers and networks could leave at a site, as sorted lines: links, addresses, routes, forwarding tables and
 * packet filter rules of the gateway, dockerd's sandboxes, rows of the service's store.
 */
export async function leavings(site: DockerSite, host: Namespace): Promise<readonly string[]> {
  const [kernel, fdb, sandboxes] = await Promise.all([
    kernelState(host, []),
    host.exec('bridge', 'fdb', 'show'),
    dockerSandboxes(site),
  ]);
  // Docker's rules count what passes.
  const rules = kernel.replaceAll(/counter packets \d+ bytes \d+/g, 'counter');
  // Of groups the kernel itself is a member, and of those of IPv6 only once an interface has had a carrier.
  const hosts = fdb.stdout.split('\n').filter((line) => !/^(33:33|01:00:5e):/.test(line));
  return [...rules.split('\n'), ...hosts, ...sandboxes, ...storeRows(site)].toSorted();
}

/** Of a sandbox that Docker has let go an empty file stays for a while; the namespace is a mount. */
async function dockerSandboxes({ node }: DockerSite): Promise<readonly string[]> {
  const { stdout } = await run(node.inside(['cat', '/proc/self/mountinfo']));
  const mounts = stdout.split('\n').map((line) => line.split(' ')[4] ?? '');
  return mounts.filter((path) => path.includes('/docker/netns/')).map((path) => `sandbox ${path}`);
}

/** Each row as a line. */
export function storeRows(site: DockerSite): readonly string[] {
  const database = new Database(join(site.gateway.dir, 'linkspan.db'), { readonly: true });
  try {
    return TABLES.flatMap((table) => {
      const rows = database.prepare(`SELECT * FROM ${table}`).all();
      return rows.map((row) => `${table} ${JSON.stringify(row)}`);
    });
  } finally {
    database.close();
  }
}
