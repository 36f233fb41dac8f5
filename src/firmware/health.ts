import type { PeerStatus } from '../model/status.ts';
import type { Attempt } from './memory.ts';

/** What of the gateway says whether it does its work. */
export type Vitals = {
  /** a whole look at the host has ended, and the loop turns */
  readonly ready: boolean;
  readonly broker: boolean;
  readonly peers: readonly PeerStatus[];
};

export const NOT_READY = 'the service to look at the host';

/** What is not yet as it was before the change to the running slot, in words; without one, only the service counts. */
export function waitingFor({ ready, broker, peers }: Vitals, proving: Attempt | undefined): readonly string[] {
  const up = new Set(upIn(peers));
  const missing = proving?.peers.filter((gateway) => !up.has(gateway)) ?? [];
  return [
    ...(ready ? [] : [NOT_READY]),
    ...(proving?.broker && !broker ? ['the broker'] : []),
    ...missing.map((gateway) => `peer ${gateway}`),
  ];
}

/** The gateways that are there, each once. */
export function upIn(peers: readonly PeerStatus[]): readonly string[] {
  return [...new Set(peers.filter(({ state }) => state === 'up').map(({ gateway }) => gateway))].toSorted();
}
