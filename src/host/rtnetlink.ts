import { getSystemErrorMessage } from 'node:util';
import { netlinkAddress, readAcknowledgements } from '../packet/netlink.ts';
import { aliasRequest, deleteRequest, macvlanRequest, type MacvlanRequest } from '../packet/rtnetlink.ts';
import { LinkspanError } from '../service/errors.ts';
import { libc, LINUX } from './libc.ts';

const NETLINK_ROUTE = 0;
const ANSWER_MAX = 4096;
const ENODEV = 19;
const EPROTO = 71;

export type MacvlanLink = Omit<MacvlanRequest, 'parent'> & { readonly parent: string };

/**
 * Makes a macvlan child in the own namespace, down. What Docker waits for is asked of the kernel itself: a child process
 * costs a service of this size more than all the rest of an attach.
 * @throws LinkspanError `link_refused`, with nothing made
 */
export async function makeMacvlan(link: MacvlanLink): Promise<void> {
  const parent = libc().ifNameToIndex(link.parent);
  const errno = parent === 0 ? ENODEV : await ask(macvlanRequest({ ...link, parent }));
  if (errno !== 0) throw refused(`interface ${link.name} on ${link.parent}`, errno);
}

/** Gives an interface of the own namespace its alias. @throws LinkspanError `link_refused` */
export async function setAlias(name: string, alias: string): Promise<void> {
  const errno = await ask(aliasRequest(name, alias));
  if (errno !== 0) throw refused(`the alias of interface ${name}`, errno);
}

/**
 * Deletes an interface of the own namespace.
 * @returns whether there was one
 * @throws LinkspanError `link_refused`
 */
export async function removeLink(name: string): Promise<boolean> {
  const errno = await ask(deleteRequest(name));
  if (errno !== 0 && errno !== ENODEV) throw refused(`interface ${name}`, errno);
  return errno === 0;
}

/** One request, and the error number that the kernel answers with. Sent by another thread: it may wait for others' work. */
async function ask(request: Buffer): Promise<number> {
  const calls = libc();
  const socket = calls.socket(LINUX.AF_NETLINK, LINUX.SOCK_RAW | LINUX.SOCK_CLOEXEC, NETLINK_ROUTE);
  try {
    await calls.sendtoLater(socket, request, 0, netlinkAddress());
    const answer = Buffer.alloc(ANSWER_MAX);
    // The kernel has done it, and answered, before the call returns.
    const length = calls.recv(socket, answer, LINUX.MSG_DONTWAIT) ?? 0;
    // A kernel that says nothing has done nothing.
    return readAcknowledgements(answer.subarray(0, length))[0] ?? EPROTO;
  } finally {
    calls.close(socket);
  }
}

function refused(object: string, errno: number): LinkspanError {
  return new LinkspanError({
    code: 'link_refused',
    object,
    reason: `the kernel refuses it: ${getSystemErrorMessage(-errno)}`,
    remedy: 'the next cycle tries again',
  });
}
