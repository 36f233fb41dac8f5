import type { MacvlanAttachment } from '../drivers/driver.ts';
import { OUR_GROUP } from '../host/links.ts';
import { ipBatch } from '../host/run.ts';
import type { Mac } from '../model/mac.ts';

/** The line of `ip -batch` that makes a macvlan child, marked as ours. Without a MAC it takes its parent's. */
export function addMacvlan(name: string, to: MacvlanAttachment, mac: Mac | undefined, mtu: number): string {
  const address = mac === undefined ? '' : ` address ${mac}`;
  return `link add link ${to.parent} name ${name}${address} mtu ${mtu} group ${OUR_GROUP} type macvlan mode ${to.mode}`;
}

/** Best effort: larger packets still come through, cut up once more on the way. Not every kernel and `ip` can set it. */
export async function limitSegments(name: string, { gsoMax }: MacvlanAttachment): Promise<void> {
  if (gsoMax !== undefined) await ipBatch([`link set dev ${name} gso_max_size ${gsoMax}`]).catch(() => {});
}
