import { createHash } from 'node:crypto';
import { type Mac, macFromHash } from './mac.ts';

/**
 * The stable MAC of a workload on a network: a function of both names, so that it survives restarts, reinstalls and a
 * move to another gateway (peers keep a working ARP entry; a re-made container with a new MAC was measured dark for 47 s).
 */
export function deriveMac(network: string, workload: string): Mac {
  return macFromHash(createHash('sha256').update(`${network}\0${workload}`).digest());
}
