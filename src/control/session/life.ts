import type { Socket } from 'node:net';
import type { MqttClient } from 'mqtt';

/** Without a byte for so many times the keepalive the broker is gone. */
const SILENT = 1.25;

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
  let heard = performance.now();
  client.stream.on('data', () => (heard = performance.now()));
  // called every half keepalive, until an answer comes
  client.onKeepaliveTimeout = () => {
    const silence = performance.now() - heard;
    if (silence > SILENT * 1000 * client.keepalive) overdue();
    // the broker has to hear of us, too
    else client.sendPing();
  };
}
