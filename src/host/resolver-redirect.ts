import {
  DESTINATION_PORT,
  holds,
  IP_DESTINATION,
  IP_PROTOCOL,
  IP_SOURCE,
  isProtocol,
  SOURCE_PORT,
  untracked,
  write,
} from '../packet/nftables.ts';
import { addressBytes } from '../packet/address.ts';
import type { Expression } from '../packet/nft-expressions.ts';
import { makeOwnedTable } from './owned-table.ts';

/** Where a workload's resolver is asked, by Docker's convention. */
export const RESOLVER_ADDRESS = '127.0.0.11';
export const DNS_PORT = 53;
/** Queries from here pass by: the way to whoever answered at RESOLVER_ADDRESS before. */
export const PASSING_SOURCE = '127.0.0.54';

const TABLE = 'linkspan-names';
const CHECKSUM_AT = { [IP_PROTOCOL.TCP]: 16, [IP_PROTOCOL.UDP]: 6 } as const;

/** The ports at RESOLVER_ADDRESS that are to answer. */
export type ResolverPorts = { readonly udp: number; readonly tcp: number };

/**
 * Leads what the namespace's processes ask of 127.0.0.11:53 to other ports of that address, past connection tracking
 * and so past Docker's NAT. No connection is remembered: once the rules are gone, the next packet goes where it went
 * before, even one of the same socket.
 * @returns the descriptor to close; with it, or with this process, the rules go
 * @throws SystemCallError where the kernel cannot
 */
export function redirectResolver(path: string, ports: ResolverPorts): number {
  const output = [...rules(IP_PROTOCOL.UDP, ports.udp), ...rules(IP_PROTOCOL.TCP, ports.tcp)];
  return makeOwnedTable(path, { name: TABLE, output });
}

function rules(protocol: 6 | 17, port: number): readonly (readonly Expression[])[] {
  const resolver = addressBytes(RESOLVER_ADDRESS, 4);
  const checksum = CHECKSUM_AT[protocol];
  return [
    [
      ...holds(IP_DESTINATION, resolver),
      ...holds(IP_SOURCE, addressBytes(PASSING_SOURCE, 4), true),
      ...isProtocol(protocol),
      ...holds(DESTINATION_PORT, portBytes(DNS_PORT)),
      ...untracked(),
      ...write(DESTINATION_PORT, portBytes(port), checksum),
    ],
    [
      ...holds(IP_SOURCE, resolver),
      ...isProtocol(protocol),
      ...holds(SOURCE_PORT, portBytes(port)),
      ...untracked(),
      ...write(SOURCE_PORT, portBytes(DNS_PORT), checksum),
    ],
  ];
}

function portBytes(port: number): Buffer {
  return Buffer.of(port >> 8, port & 0xff);
}
