import { OUR_GROUP, type ObservedLink } from './links.ts';
import { CommandError, ipBatch } from './run.ts';

/** No endpoint's name on its way to a sandbox: those end in a hash. */
const PROBE = 'lst-probe';

let known: boolean | undefined;

/**
 * Whether the kernel has vxlan, asked once for each process. Asked by making a link and deleting it again, which also
 * loads the module: the failure of the first real link would come in the middle of a plan, when what it was to replace
 * may be gone already. The link is never up, so no port is bound; one that a crash left behind bears our mark, and goes
 * with the first plan. A kernel that gets the module later is asked again by the next start: workloads must not change
 * their engine because somebody loaded a module.
 * @throws CommandError where the answer is neither yes nor no
 */
export async function hasVxlan(links: readonly ObservedLink[]): Promise<boolean> {
  known ??= links.some((link) => link.kind === 'vxlan') || (await probe());
  return known;
}

async function probe(): Promise<boolean> {
  try {
    await ipBatch([
      `link add name ${PROBE} group ${OUR_GROUP} type vxlan id 1 dstport 9 nolearning`,
      `link del dev ${PROBE}`,
    ]);
    return true;
  } catch (error) {
    if (error instanceof CommandError && isUnknownType(error.stderr)) return false;
    throw error;
  }
}

/** The kernel's own words, or `ip`'s for a kernel that gives none. */
function isUnknownType(stderr: string): boolean {
  return /Unknown device type|Operation not supported/.test(stderr);
}
