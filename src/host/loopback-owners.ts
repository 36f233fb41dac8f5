import { readFileSync } from 'node:fs';
import { within } from './namespace.ts';

/** A line of /proc/net/udp or tcp (proc_net(5)): number, local address and port in hex, address in host order. */
const LINE = /^\s*\d+: ([0-9A-F]{8}):([0-9A-F]{4}) /;

/** The ports of an IPv4 address on which sockets of the namespace at `path` are bound to just that address. */
export function boundPorts(path: string, address: string): ReadonlySet<number> {
  const tables = within(path, () =>
    ['udp', 'tcp'].map((protocol) => readFileSync(`/proc/thread-self/net/${protocol}`, 'latin1')),
  );
  const wanted = Buffer.from(address.split('.').map(Number).toReversed()).toString('hex').toUpperCase();
  const rows = tables.flatMap((table) => table.split('\n').map((line) => LINE.exec(line)));
  return new Set(rows.flatMap((row) => (row?.[1] === wanted ? [Number.parseInt(row[2] ?? '', 16)] : [])));
}
