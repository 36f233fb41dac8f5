import type { PeerStatus } from '../model/status.ts';
import { peerTable } from './columns.ts';
import { EXIT } from './exit.ts';
import type { Verb } from './verb.ts';

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
];
