import type { IpvlanMode, MacvlanMode } from '../model/network.ts';

export type MacvlanAttachment = {
  readonly type: 'macvlan';
  readonly parent: string;
  readonly mode: MacvlanMode;
  /** bytes of the largest packet that the workload may hand over unsegmented, where that is not the kernel's choice */
  readonly gsoMax?: number;
};

export type IpvlanAttachment = { readonly type: 'ipvlan'; readonly parent: string; readonly mode: IpvlanMode };

/** A child of an interface of the host. */
export type ChildAttachment = MacvlanAttachment | IpvlanAttachment;

/** How a workload's interface hangs on its network. */
export type Attachment = ChildAttachment | { readonly type: 'veth'; readonly bridge: string };

/** The host's interface that a network's frames pass through. */
export function wireUnder(attachment: Attachment): string {
  return attachment.type === 'veth' ? attachment.bridge : attachment.parent;
}

/** Whether a workload's interface has the MAC of the interface that it hangs on. */
export function sharesMac(attachment: Attachment): boolean {
  return attachment.type === 'ipvlan' || (attachment.type === 'macvlan' && attachment.mode === 'passthru');
}

/** Whether no ARP or neighbour discovery passes there: the kernel's ipvlan drops broadcast and multicast in l3 modes. */
export function isRouted(attachment: Attachment): boolean {
  return attachment.type === 'ipvlan' && attachment.mode !== 'l2';
}
