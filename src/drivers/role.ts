import type { Role } from '../host/shield.ts';
import { isAnswerer, isSwitch } from './naming.ts';

/** What a link of ours is to the host, by the link's kind in the kernel's words, and its alias. */
export function roleOf(kind: string, alias: string): Role {
  if (kind === 'ipvlan') return 'proxy';
  const carries = ['vxlan', 'tap', 'tun', 'vlan'].includes(kind) || isSwitch(alias) || isAnswerer(alias);
  return carries ? 'carrier' : 'router';
}
