import { isDump, netlinkAddress } from '../packet/netlink.ts';
import { endOf, type NetlinkMessage, readMessages } from '../packet/netlink-read.ts';
import { libc, LINUX, SystemCallError } from './libc.ts';
import { within } from './namespace.ts';

const NETLINK_ROUTE = 0;
/** The kernel fills as much of it with each receive, and never more (netlink_dump). */
const RECEIVE_BYTES = 32 * 1024;
/** A table that changes while it is dumped is dumped again; each takes a millisecond or two. */
const DUMPS = 10;
const [EAGAIN, EINTR, EPROTO] = [11, 4, 71];

export type AskOptions = {
  /** the network namespace to ask; the own one when undefined */
  readonly path?: string | undefined;
  /** of netlink(7); rtnetlink when undefined */
  readonly protocol?: number;
};

/**
 * Asks the kernel one thing after the other, all in the same namespace, and gives what it answers to each without the
 * closing acknowledgement; every request must ask for a dump or an acknowledgement. Another thread waits: the kernel may
 * be at others' work for a tenth of a second (it takes a namespace down under the lock that all of rtnetlink shares).
 * @throws SystemCallError with the kernel's error number; `EINTR` where a table never stood still
 */
export async function ask(
  requests: readonly Buffer[],
  { path, protocol = NETLINK_ROUTE }: AskOptions = {},
): Promise<readonly (readonly NetlinkMessage[])[]> {
  const type = LINUX.SOCK_RAW | LINUX.SOCK_CLOEXEC;
  const open = (): number => libc().socket(LINUX.AF_NETLINK, type, protocol);
  const socket = path === undefined ? open() : within(path, open);
  try {
    const answers: (readonly NetlinkMessage[])[] = [];
    for (const request of requests) answers.push(await undisturbed(socket, request));
    return answers;
  } finally {
    libc().close(socket);
  }
}

async function undisturbed(socket: number, request: Buffer): Promise<readonly NetlinkMessage[]> {
  for (let tries = 1; tries <= DUMPS; tries += 1) {
    const answer = await exchange(socket, request);
    if (!answer.some(({ interrupted }) => interrupted)) return answer;
  }
  throw new SystemCallError('netlink', EINTR);
}

async function exchange(socket: number, request: Buffer): Promise<readonly NetlinkMessage[]> {
  await libc().sendtoLater(socket, request, 0, netlinkAddress());
  const answer: NetlinkMessage[] = [];
  const receive = isDump(request) ? receiveLater : receiveNow;
  for (;;) {
    const messages = readMessages(await receive(socket));
    const last = messages.find((message) => endOf(message) !== undefined);
    const errno = last && endOf(last);
    if (errno) throw new SystemCallError('netlink', errno);
    answer.push(...messages);
    if (last !== undefined) return answer;
    // Else a kernel that says nothing would be asked for ever.
    if (messages.length === 0) throw new SystemCallError('netlink', EPROTO);
  }
}

/** The kernel has answered before the call that asks it returns: nothing to wait for, nor a thread's time to spend. */
function receiveNow(socket: number): Buffer {
  const bytes = Buffer.allocUnsafe(RECEIVE_BYTES);
  return bytes.subarray(0, libc().recv(socket, bytes, LINUX.MSG_DONTWAIT) ?? 0);
}

/** With a dump the kernel goes on at each receive, and may have to wait for others before. */
async function receiveLater(socket: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(RECEIVE_BYTES);
  try {
    return bytes.subarray(0, await libc().recvLater(socket, bytes, LINUX.MSG_DONTWAIT));
  } catch (error) {
    if (error instanceof SystemCallError && error.errno === EAGAIN) return bytes.subarray(0, 0);
    throw error;
  }
}
