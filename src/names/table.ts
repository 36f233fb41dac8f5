import { dnsName } from '../model/dns-name.ts';
import { addressOfReverse } from './reverse.ts';

/** What a workload is called on one network, and where it is: plain canonical addresses. */
export type NamedEndpoint = { readonly names: readonly string[]; readonly addresses: readonly string[] };

/** The workloads of one network: this gateway's, and those of other gateways. */
export type NetworkNames = {
  readonly network: string;
  readonly local: readonly NamedEndpoint[];
  readonly remote: readonly NamedEndpoint[];
};

/** What the table knows of a name: its addresses (of both families, maybe none), or the name of an address. */
export type Found =
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'pointer'; readonly name: string };

type Index = ReadonlyMap<string, readonly string[]>;
type IndexedNetwork = {
  readonly suffix: string;
  readonly local: Index;
  readonly remote: Index;
  /** by address */
  readonly pointers: ReadonlyMap<string, string>;
};

/** The names of one network, ready to be looked up; the tables of all its workloads share it. */
export function indexNetwork({ network, local, remote }: NetworkNames): IndexedNetwork {
  const suffix = `.${network.toLowerCase()}`;
  // The later entry of a Map stands, so this gateway's own come last.
  const pointers = [...remote, ...local].flatMap(({ names, addresses }): [string, string][] => {
    const name = names.flatMap((text) => dnsName(text) ?? [])[0];
    return name === undefined ? [] : addresses.map((address) => [address, name + suffix]);
  });
  return { suffix, local: indexOf(local), remote: indexOf(remote), pointers: new Map(pointers) };
}

function indexOf(endpoints: readonly NamedEndpoint[]): Index {
  const index = new Map<string, string[]>();
  for (const { names, addresses } of endpoints) {
    for (const name of new Set(names.flatMap((text) => dnsName(text) ?? []))) {
      const held = index.get(name) ?? [];
      index.set(name, held);
      held.push(...addresses);
    }
  }
  return index;
}

/** What one workload may know: the names on its own networks, in their order. Names are compared without case. */
export class NameTable {
  readonly #networks: readonly IndexedNetwork[];

  constructor(networks: readonly IndexedNetwork[]) {
    this.#networks = networks;
  }

  /**
   * Looks up a name as it was asked (`db`, `db.line1`, `21.0.110.10.in-addr.arpa`); undefined for what is no name of
   * ours. A workload of this gateway comes before one of the same name elsewhere.
   */
  find(asked: string): Found | undefined {
    const name = asked.toLowerCase();
    const address = addressOfReverse(name);
    if (address !== undefined) return this.#pointer(address);
    const addresses = this.#addresses(name);
    return addresses && { kind: 'addresses', addresses: [...new Set(addresses)] };
  }

  #pointer(address: string): Found | undefined {
    const name = this.#networks.map(({ pointers }) => pointers.get(address)).find((found) => found !== undefined);
    return name === undefined ? undefined : { kind: 'pointer', name };
  }

  #addresses(name: string): readonly string[] | undefined {
    const places = this.#networks.flatMap((network) => {
      const bare = name.endsWith(network.suffix) ? [name.slice(0, -network.suffix.length)] : [];
      return [name, ...bare].map((key) => ({ network, key }));
    });
    const local = places.map(({ network, key }) => network.local.get(key));
    const remote = places.map(({ network, key }) => network.remote.get(key));
    return [...local, ...remote].find((found) => found !== undefined);
  }
}
