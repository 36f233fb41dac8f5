import { acknowledgementsOf, ownedTableBatch, type OwnedTable } from '../packet/nftables.ts';
import { netlinkAddress } from '../packet/netlink.ts';
import { libc, LINUX } from './libc.ts';
import { within } from './namespace.ts';
import { acknowledgements, checkAll } from './nft-commit.ts';

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

function send(socket: number, table: OwnedTable): void {
  libc().sendto(socket, ownedTableBatch(table), 0, netlinkAddress());
  // Kernels before 5.12 ignore no flag they do not know.
  checkAll(acknowledgements(socket), acknowledgementsOf(table));
}
