import type { ChildAttachment } from '../drivers/attachment.ts';
import { OUR_GROUP } from '../host/links.ts';
import { makeChild } from '../host/rtnetlink.ts';
import { ipBatch } from '../host/run.ts';
import type { Mac } from '../model/mac.ts';

/** Makes a child of an interface in the host, down, marked as ours. Without a MAC it takes its parent's. @throws LinkspanError */
export function addChild(name: string, to: ChildAttachment, mac: Mac | undefined, mtu: number): Promise<void> {
  return makeChild({ name, parent: to.parent, kind: to, mac, mtu, group: OUR_GROUP });
}

/** Best effort: larger packets still come through, cut up once more on the way. Not every kernel and `ip` can set it. */
export async function limitSegments(name: string, to: ChildAttachment): Promise<void> {
  if (to.type !== 'macvlan' || to.gsoMax === undefined) return;
  await ipBatch([`link set dev ${name} gso_max_size ${to.gsoMax}`]).catch(() => {});
}
