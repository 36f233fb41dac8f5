import type { PeerStatus } from '../../../src/model/status.ts';
import type { Gateway } from '../../lab/gateway.ts';

/** What a gateway's status says of one of its peers. @throws Error where it does not know it */
export async function peerOf(gateway: Gateway, name: string): Promise<PeerStatus> {
  const peer = (await gateway.status()).peers.find((one) => one.gateway === name);
  if (peer === undefined) throw new Error(`${name} is not known`);
  return peer;
}
