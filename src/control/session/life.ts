import type { MqttClient } from 'mqtt';

/** Without a byte for so many times the keepalive the broker is gone. */
const SILENT = 1.25;

const signs = new WeakMap<MqttClient, number>();

/** When the connection last gave a sign of life, by `performance.now`; 0 for one that was never counted. */
export function lastSign(client: MqttClient): number {
  return signs.get(client) ?? 0;
}

/**
 * Whatever comes shows that the broker lives, and nothing is read while what came before is worked on. The client by
 * itself takes for life only the answer to its ping, which over a slow link waits behind all that the broker has to say:
 * it would end every large answer in the middle of it.
 */
export function countSigns(client: MqttClient): void {
  const overdue = client.onKeepaliveTimeout.bind(client);
  const hear = (): void => void signs.set(client, performance.now());
  hear();
  client.stream.on('data', hear);
  client.on('message', hear);
  // called every half keepalive, until an answer comes
  client.onKeepaliveTimeout = () => {
    const silence = performance.now() - lastSign(client);
    if (silence > SILENT * 1000 * client.keepalive) overdue();
    // the broker has to hear of us, too
    else client.sendPing();
  };
}
