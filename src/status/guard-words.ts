import type { GuardDrop } from './guards.ts';

/** What guards tell of; a loop has events of its own. */
export type ToldDrop = GuardDrop & { readonly reason: Exclude<GuardDrop['reason'], 'loop'> };

/** What a guard drops, and what to do where it should not. */
const WORDS: Readonly<Record<ToldDrop['reason'], readonly [what: string, remedy: string]>> = {
  dhcp: ['DHCP', 'each site keeps its own server; to let one serve the others, set guards.dhcp to allow at all sites'],
  ra: ['IPv6 router advertisements', 'each site keeps its own routers; else set guards.ra to allow at all sites'],
  nested: ['VXLAN inside the network', 'a cable joins the network to the underlay, or a workload sends it; find it'],
  group_source: ['frames whose sender is no station', 'a device or a workload forges its MAC address; find it'],
  link_local: ["switches' own frames, such as spanning tree", 'each site keeps its own switches'],
  inner_vlan: ['frames with a VLAN tag', 'send them untagged, or give each VLAN a network of its own'],
  protocol: ['protocols outside its profile', 'where they must cross, set guards.profile at all sites'],
  storm: ['broadcast and multicast above its limit', 'look for a loop; where that many are right, raise guards.bumPps'],
  unknown_source: [
    "VXLAN from addresses that are none of the networks' peers",
    'see by linkspan capture --outer who sends it; a VTEP of another vendor belongs into the network’s peers',
  ],
};

export function beganMessage(drop: ToldDrop, frames: number): string {
  const [what, remedy] = WORDS[drop.reason];
  return `${subject(drop)}: guard ${drop.reason} drops ${what} ${wayOf(drop)} (${frames} frames so far); ${remedy}`;
}

export function quietMessage(drop: ToldDrop, frames: number): string {
  return `${subject(drop)}: guard ${drop.reason} has nothing more to drop ${wayOf(drop)}; it was ${frames} frames`;
}

function subject({ network }: ToldDrop): string {
  return network === '' ? 'overlay networks' : `network ${network}`;
}

function wayOf({ way }: ToldDrop): string {
  return way === 'in' ? 'from other sites' : 'towards other sites';
}
