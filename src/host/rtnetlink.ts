import { getSystemErrorMessage } from 'node:util';
import {
  aliasRequest,
  childRequest,
  type ChildRequest,
  deleteRequest,
  learnedRequest,
} from '../packet/rtnetlink/requests.ts';
import { LinkspanError } from '../service/errors.ts';
import { kindMissing } from './kernel-kind.ts';
import { libc, SystemCallError } from './libc.ts';
import { ask } from './netlink.ts';

const [EBUSY, ENODEV, EOPNOTSUPP] = [16, 19, 95];

/** It names no holder, and who holds the parent may be in a namespace that nobody here knows. */
const BUSY =
  'take the parent out of its bridge, or remove what another program made on it (macvlan and ipvlan cannot share one, and passthru takes it whole)';

export type ChildLink = Omit<ChildRequest, 'parent'> & { readonly parent: string };

/**
 * Makes a child of an interface in the own namespace, down. What Docker waits for is asked of the kernel itself: a child process
 * costs a service of this size more than all the rest of an attach.
 * @throws LinkspanError `link_refused`, with nothing made
 */
export async function makeChild(link: ChildLink): Promise<void> {
  const parent = libc().ifNameToIndex(link.parent);
  const errno = parent === 0 ? ENODEV : await outcome(childRequest({ ...link, parent }));
  const object = `interface ${link.name} on ${link.parent}`;
  if (errno === EOPNOTSUPP) throw kindMissing(link.kind.type, object);
  if (errno !== 0) throw refused(object, errno);
}

/** Gives an interface of the own namespace its alias. @throws LinkspanError `link_refused` */
export async function setAlias(name: string, alias: string): Promise<void> {
  const errno = await outcome(aliasRequest(name, alias));
  if (errno !== 0) throw refused(`the alias of interface ${name}`, errno);
}

/** Has a bridge of the own namespace learn so many MACs at most, where the kernel can. @throws LinkspanError `link_refused` */
export async function limitLearned(name: string, most: number): Promise<void> {
  const errno = await outcome(learnedRequest(name, most));
  if (errno !== 0) throw refused(`the limit of bridge ${name}`, errno);
}

/** Deletes an interface of the own namespace; gone already is what was wanted. @throws LinkspanError `link_refused` */
export async function removeLink(name: string): Promise<void> {
  const errno = await outcome(deleteRequest(name));
  if (errno !== 0 && errno !== ENODEV) throw refused(`interface ${name}`, errno);
}

/** The error number that the kernel answers with, 0 for what was done. */
async function outcome(request: Buffer): Promise<number> {
  try {
    await ask([request]);
    return 0;
  } catch (error) {
    if (error instanceof SystemCallError) return error.errno;
    throw error;
  }
}

function refused(object: string, errno: number): LinkspanError {
  const remedy = errno === EBUSY ? BUSY : 'the next cycle tries again';
  return new LinkspanError({
    code: 'link_refused',
    object,
    reason: `the kernel refuses it: ${getSystemErrorMessage(-errno)}`,
    remedy,
  });
}
