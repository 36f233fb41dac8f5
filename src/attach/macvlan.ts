import type { MacvlanAttachment } from '../drivers/driver.ts';
import { OUR_GROUP } from '../host/links.ts';
import { makeMacvlan } from '../host/rtnetlink.ts';
import { ipBatch } from '../host/run.ts';
import type { Mac } from '../model/mac.ts';

/** Makes a macvlan child in the host, down, marked as ours. Without a MAC it takes its parent's. @throws LinkspanError */
export function addMacvlan(name: string, to: MacvlanAttachment, mac: Mac | undefined, mtu: number): Promise<void> {
  return makeMacvlan({ name, parent: to.parent, mode: to.mode, mac, mtu, group: OUR_GROUP });
}

/** Best effort: larger packets still come through, cut up once more on the way. Not every kernel and `ip` can set it. */
export async function limitSegments(name: string, { gsoMax }: MacvlanAttachment): Promise<void> {
  if (gsoMax !== undefined) await ipBatch([`link set dev ${name} gso_max_size ${gsoMax}`]).catch(() => {});
}
