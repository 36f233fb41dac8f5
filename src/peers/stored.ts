import type { Alive, PeerRecord } from '../model/peer.ts';
import type { DirectoryOptions } from './directory.ts';

/** What an earlier run stored and this one believes; `unbelieved`: gateways that said the rest of the records. */
type Stored = {
  readonly alives: readonly Alive[];
  readonly records: readonly PeerRecord[];
  readonly unbelieved: readonly string[];
};

export function stored({ store, gateway, admits }: Pick<DirectoryOptions, 'store' | 'gateway' | 'admits'>): Stored {
  // Under a former name of this gateway, what is its own again now may have been stored as a peer's.
  const others = <T extends { readonly gw: string }>(items: readonly T[]): readonly T[] =>
    items.filter(({ gw }) => gw !== gateway);
  const alives = others(store.loadAlives()).filter(({ gw, signer }) => admits?.(gw, undefined, signer) ?? true);
  const isBelieved = ({ gw, vni, signer }: PeerRecord): boolean => admits?.(gw, vni, signer) ?? true;
  const [records, rest]: [PeerRecord[], PeerRecord[]] = [[], []];
  for (const record of others(store.loadRecords())) (isBelieved(record) ? records : rest).push(record);
  return { alives, records, unbelieved: [...new Set(rest.map(({ gw }) => gw))] };
}
