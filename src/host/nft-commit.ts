import { batch, type NftChange } from '../packet/nft-batch.ts';
import { netlinkAddress } from '../packet/netlink.ts';
import { readAcknowledgements } from '../packet/netlink-read.ts';
import { libc, LINUX, SystemCallError } from './libc.ts';

const ANSWER_BYTES = 64 * 1024;
const EPROTO = 71;

/**
 * Sends a batch of nf_tables that is done whole or not at all, and gives what the kernel says to each change: an errno, 0
 * for what it would do. Another thread waits: the kernel may have to wait for all processors.
 * @throws SystemCallError where the kernel takes no batch
 */
export async function tryChanges(family: number, changes: readonly NftChange[]): Promise<readonly number[]> {
  const type = LINUX.SOCK_RAW | LINUX.SOCK_CLOEXEC | LINUX.SOCK_NONBLOCK;
  const socket = libc().socket(LINUX.AF_NETLINK, type, LINUX.NETLINK_NETFILTER);
  try {
    await libc().sendtoLater(socket, batch(family, changes), 0, netlinkAddress());
    return acknowledgements(socket);
  } finally {
    libc().close(socket);
  }
}

/** @throws SystemCallError with the first change's errno that the kernel refuses; nothing is done then */
export async function commit(family: number, changes: readonly NftChange[]): Promise<void> {
  checkAll(await tryChanges(family, changes), changes.length);
}

/** The kernel works through a batch within the call that sends it, so all answers wait already. */
export function acknowledgements(socket: number): readonly number[] {
  const results: number[] = [];
  const buffer = Buffer.alloc(ANSWER_BYTES);
  for (;;) {
    const length = libc().recv(socket, buffer, LINUX.MSG_DONTWAIT);
    if (length === undefined) return results;
    results.push(...readAcknowledgements(buffer.subarray(0, length)));
  }
}

/** @param count changes that were sent: a silent kernel has done nothing */
export function checkAll(results: readonly number[], count: number): void {
  const failed = results.find((errno) => errno !== 0);
  if (failed !== undefined) throw new SystemCallError('nf_tables', failed);
  if (results.length < count) throw new SystemCallError('nf_tables', EPROTO);
}
