import type { Lab } from '../../lab/lab.ts';
import type { Ends, Path } from './ends.ts';
import type { BenchNetwork } from './linkspan.ts';
import { linkspanPath } from './linkspan.ts';

const NETWORK: BenchNetwork = { engine: 'kernel', vni: 19_541, subnet: '10.91.0' };

/** Linkspan's kernel engine at both ends: no process of its own sees a packet. */
export const kernelPath = (lab: Lab, ends: Ends): Promise<Path> => linkspanPath(lab, ends, NETWORK);
