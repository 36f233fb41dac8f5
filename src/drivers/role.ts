import type { Role } from '../host/shield.ts';

/** What a link of ours is to the host, by the link's kind in the kernel's words. */
export function roleOf(kind: string): Role {
  if (kind === 'ipvlan') return 'proxy';
  return ['vxlan', 'tap', 'tun', 'vlan'].includes(kind) ? 'carrier' : 'router';
}
