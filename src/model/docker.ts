import type { IpPrefix } from './ip.ts';
import type { Mac } from './mac.ts';
import type { Endpoint, Network, PublishedPort } from './network.ts';

/** A Docker network of our driver: one that the document has (`joins`), or one made on the spot (`own`). */
export type DockerNetwork = {
  readonly id: string;
  readonly prefix: string;
} & ({ readonly joins: string } | { readonly own: Network });

/**
 * A container's endpoint, as far as Docker has told: created; joined, when its link waits to be taken into the
 * sandbox; attached, when it has been seen there under its name.
 */
export type DockerEndpoint = {
  readonly id: string;
  readonly network: string;
  readonly mac: Mac;
  readonly addresses: readonly IpPrefix[];
  /** what Docker will set and we take away again, where its own idea of the subnet is not the network's */
  readonly foreign: readonly IpPrefix[];
  readonly publish: readonly PublishedPort[];
  /** the addresses are the plant's DHCP server's, with its router where it named one */
  readonly dhcp?: { readonly router?: string };
  readonly sandbox?: string;
  readonly interface?: string;
  /** the container's name and aliases, once the engine has told them */
  readonly names?: readonly string[];
};

/** What Docker's networks and containers add to the document. */
export type DockerWishes = {
  readonly networks: readonly Network[];
  readonly endpoints: readonly Endpoint[];
  /** links of these are on their way into their sandboxes, and Docker's to move */
  readonly handed: readonly Endpoint[];
};

export const NO_WISHES: DockerWishes = { networks: [], endpoints: [], handed: [] };
