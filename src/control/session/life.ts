import type { MqttClient } from 'mqtt';

/** Without a byte for so many times the keepalive the broker is gone. */
const SILENT = 1.25;

const signs = new WeakMap<MqttClient, number>();

/** When the connection last gave a sign of life, by `performance.now`; 0 for one that was never counted. */
export function lastSign(client: MqttClient): number {
  return signs.get(client) ?? 0;
}

/**
 * Keeps a connection that lives, and ends one that is silent.
 *
 * Whatever comes shows that the broker lives, and nothing is read while what came before is worked on. The client by
 * itself takes for life only the answer to its ping, which over a slow link waits behind all that the broker has to say:
 * it would end every large answer in the middle of it.
 */
export function keepAlive(client: MqttClient): void {
  const overdue = client.onKeepaliveTimeout.bind(client);
  const hear = (): void => void signs.set(client, performance.now());
  hear();
  client.stream.on('data', hear);
  client.on('message', hear);
  pingBySilence(client);
  // called every half keepalive, until an answer comes
  client.onKeepaliveTimeout = () => {
    const silence = performance.now() - lastSign(client);
    if (silence > SILENT * 1000 * client.keepalive) overdue();
    // the broker has to hear of us, too
    else client.sendPing();
  };
}

/**
 * The broker counts from what it last heard, the client from what it last handled: where answers wait behind much else,
 * its ping would come after the broker's patience.
 */
function pingBySilence(client: MqttClient): void {
  let said = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const half = client.keepalive * 500;
    if (client.connected && performance.now() - said >= half) client.sendPing();
    timer = setTimeout(look, half).unref();
  };
  client.on('packetsend', () => void (said = performance.now()));
  client.once('close', () => clearTimeout(timer));
  look();
}
