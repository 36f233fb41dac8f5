import type { Datapath } from '../../lab/datapath.ts';
import { startDatapath } from '../../lab/datapath.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Ends, Path } from './ends.ts';
import type { BenchNetwork } from './linkspan.ts';
import { linkspanPath } from './linkspan.ts';

const NETWORK: BenchNetwork = { engine: 'user', vni: 19_542, subnet: '10.93.0' };

/** Both gateways' datapath processes, and the path through them. */
export type UserSites = { readonly path: Path; readonly datapaths: readonly [Datapath, Datapath] };

/** Linkspan's user engine at both ends: a datapath process beside each service, told by it. */
export async function userSites(lab: Lab, ends: Ends): Promise<UserSites> {
  const [a, b] = ends;
  const datapaths = [await startDatapath(lab, a.gateway), await startDatapath(lab, b.gateway)] as const;
  const path = await linkspanPath(
    lab,
    ends,
    NETWORK,
    datapaths.map(({ dir }) => dir),
  );
  return { path: { ...path, datapaths: datapaths.map(({ process }) => process.pid) }, datapaths };
}

export const userPath = async (lab: Lab, ends: Ends): Promise<Path> => (await userSites(lab, ends)).path;
