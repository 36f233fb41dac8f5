import { acknowledgementsOf, ownedTableBatch, type OwnedTable } from '../packet/nftables.ts';
import { netlinkAddress } from '../packet/netlink.ts';
import { readAcknowledgements } from '../packet/netlink-read.ts';
import { libc, LINUX, SystemCallError } from './libc.ts';
import { within } from './namespace.ts';

const ANSWER_BYTES = 64 * 1024;

/**
 * Makes a table of nftables in the network namespace at `path`, which lives as long as this process and the returned
 * socket: the kernel deletes the table with the socket, however this process ends. The socket is not inherited by
 * commands that are started.
 * @returns the descriptor to close
 * @throws SystemCallError `EEXIST`: there is a table of that name; others: this kernel cannot (Linux 5.12 can)
 */
export function makeOwnedTable(path: string, table: OwnedTable): number {
  return within(path, (calls) => {
    const type = LINUX.SOCK_RAW | LINUX.SOCK_CLOEXEC | LINUX.SOCK_NONBLOCK;
    const socket = calls.socket(LINUX.AF_NETLINK, type, LINUX.NETLINK_NETFILTER);
    try {
      send(socket, table);
      return socket;
    } catch (error) {
      calls.close(socket);
      throw error;
    }
  });
}

/** The kernel works through the batch within the call that sends it, so all answers wait already. */
function send(socket: number, table: OwnedTable): void {
  libc().sendto(socket, ownedTableBatch(table), 0, netlinkAddress());
  const results: number[] = [];
  const buffer = Buffer.alloc(ANSWER_BYTES);
  for (;;) {
    const length = libc().recv(socket, buffer, LINUX.MSG_DONTWAIT);
    if (length === undefined) break;
    results.push(...readAcknowledgements(buffer.subarray(0, length)));
  }
  const failed = results.find((errno) => errno !== 0);
  if (failed !== undefined) throw new SystemCallError('nf_tables', failed);
  // Kernels before 5.12 ignore no flag they do not know, but a silent kernel has done nothing.
  if (results.length < acknowledgementsOf(table)) throw new SystemCallError('nf_tables', EPROTO);
}

const EPROTO = 71;
