import { type Attachment, wireUnder } from '../drivers/attachment.ts';
import type { IpvlanMode, MacvlanMode } from '../model/network.ts';
import type { NetworkStatus } from '../model/status.ts';

type Words = (parent: string) => string;

const MACVLAN: Readonly<Record<MacvlanMode, Words>> = {
  bridge: () => 'siblings reach each other in the gateway; the switch port sees a MAC for each',
  vepa: () =>
    'siblings reach each other only by a switch that sends frames back out of the port they came in by (hairpin)',
  private: () => 'siblings never reach each other, whatever the switch does',
  passthru: (parent) => `one workload only, with the MAC of ${parent}, which takes all frames (promiscuous)`,
};

const ROUTED: Words = () => 'no broadcast; others need a route to the subnet by way of this gateway';

const IPVLAN: Readonly<Record<IpvlanMode, Words>> = {
  l2: (parent) => `the workloads have the MAC of ${parent}`,
  l3: ROUTED,
  l3s: ROUTED,
};

/** How the workloads of a network on the site's wire share that, and what it means for them; nulls of any other. */
export function modeStatus(attachment: Attachment | undefined): Pick<NetworkStatus, 'mode' | 'mode_note'> {
  if (attachment === undefined || attachment.type === 'veth') return { mode: null, mode_note: null };
  const words = attachment.type === 'macvlan' ? MACVLAN[attachment.mode] : IPVLAN[attachment.mode];
  return { mode: attachment.mode, mode_note: words(wireUnder(attachment)) };
}
