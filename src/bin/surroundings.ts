import type { Surroundings } from '../control/documents/trial-run.ts';
import { bootTime } from '../host/boot-time.ts';
import { isOwnAddress, reach } from '../host/tcp-reach.ts';
import type { GatewayStatus, PeerStatus, WifiStatus } from '../model/status.ts';

export type SurroundingsSource = {
  readonly broker: () => GatewayStatus['broker'];
  /** of the connection that stands; undefined: there is none, or it does not say */
  readonly brokerAddress: () => string | undefined;
  readonly peers: () => readonly PeerStatus[];
  readonly wifi: () => ReadonlyMap<string, WifiStatus>;
};

const PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883, 'ws:': 80, 'wss:': 443 };

/** What a document on trial can see of this gateway. */
export function surroundingsOf({ broker, brokerAddress, peers, wifi }: SurroundingsSource): Surroundings {
  // Of a name only the connection tells whose it is: Debian has the host's own at 127.0.1.1.
  const isOwn = (): boolean => isOwnAddress(brokerAddress() ?? placeOf(broker().url).host);
  return {
    now: bootTime,
    broker: () => ({ connected: broker().connected, own: isOwn() }),
    reachBroker: async (own) => {
      const { host, port } = placeOf(broker().url);
      const found = await reach(host, port);
      // An address of ours that was the broker's answers whatever we ask, and nobody is behind it.
      return found.answer !== 'silent' && found.own === own;
    },
    peers,
    uplinksMove: () => [...wifi().values()].some(({ state }) => state === 'joining'),
  };
}

function placeOf(url: string): { readonly host: string; readonly port: number } {
  const parsed = URL.parse(url);
  const host = parsed?.hostname.replace(/^\[|\]$/g, '') ?? '';
  return { host, port: Number(parsed?.port || PORTS[parsed?.protocol ?? ''] || 0) };
}
