import type { Socket } from 'node:net';
import type { MqttClient } from 'mqtt';

/** Bytes that have come over the connection; undefined for one within this process. */
export function bytesRead(client: MqttClient): number | undefined {
  return (client.stream as Partial<Socket>).bytesRead;
}

/**
 * Whatever comes shows that the broker lives. The client by itself takes for that only the answer to its ping, which over
 * a slow link waits behind all that the broker has to say: it would end every large answer in the middle of it.
 */
export function countBytesAsLife(client: MqttClient): void {
  const overdue = client.onKeepaliveTimeout.bind(client);
  let heard: number | undefined;
  client.on('packetsend', ({ cmd }) => {
    if (cmd === 'pingreq') heard = bytesRead(client);
  });
  client.onKeepaliveTimeout = () => {
    if ((bytesRead(client) ?? 0) <= (heard ?? 0)) return overdue();
    // the broker has to hear of us, too
    client.sendPing();
    client.reschedulePing(true);
  };
}
