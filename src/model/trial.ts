import type { BootTime } from './dhcp.ts';

/**
 * A document that stands but has to prove itself. It lives on the disk, so that it ends in time whatever becomes of the
 * service meanwhile.
 */
export type Trial = {
  readonly version: number;
  /** of the document to go back to; null: there was none */
  readonly backTo: number | null;
  /** by the machine's own time: a wall clock may be set in the middle */
  readonly started: BootTime;
  /** seconds for the proof; null: it changes nothing that could cut the gateway off */
  readonly proofS: number | null;
  /** seconds for the operator's confirmation; null: none is asked for */
  readonly confirmS: number | null;
  readonly owed: Owed;
  readonly proven: boolean;
  readonly confirmed: boolean;
  /** starts of the service with this document in a row that came to no whole cycle */
  readonly starts: number;
  /** an operator asked for `version` again, and what ran (`backTo`) is taken back once it stands */
  readonly reverts: boolean;
};

/** What worked before the document, and must work with it. */
export type Owed = {
  readonly broker: boolean;
  /** the broker is on this host */
  readonly ownBroker: boolean;
  /** gateways that were up, in VNIs that the document keeps */
  readonly peers: readonly string[];
  /** what failed before in these words, and may go on to fail */
  readonly excused: readonly string[];
};
