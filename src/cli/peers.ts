import type { PeerStatus } from '../model/status.ts';
import { peerTable } from './columns.ts';
import { EXIT } from './exit.ts';
import type { Verb } from './verb.ts';

/** One way or the other, and VXLAN is not known to be silent. */
function answers({ state, datapath, rtt_ms: rtt, datapath_rtt_ms: tunnel }: PeerStatus): boolean {
  return state === 'up' && datapath !== 'silent' && (rtt !== null || tunnel !== null);
}

export const PEER_VERBS: readonly Verb[] = [
  {
    name: 'peer ls',
    usage: '',
    summary: 'the other gateways and foreign VTEPs',
    arity: [0, 0],
    run: async ({ client, output, json }) => {
      const peers = await client.get<readonly PeerStatus[]>('/v1/peers');
      if (json) output.json(peers);
      else peerTable(output, peers);
      return EXIT.ok;
    },
  },
  {
    name: 'peer probe',
    usage: '[GATEWAY]',
    summary: 'ask the peers now: round trips and path MTU',
    arity: [0, 1],
    run: async ({ client, output, json, positionals: [gateway] }) => {
      const peers = await client.post<readonly PeerStatus[]>('/v1/probe', JSON.stringify({ gateway }));
      if (json) output.json(peers);
      else peerTable(output, peers);
      return peers.every((peer) => answers(peer)) ? EXIT.ok : EXIT.failed;
    },
  },
];
