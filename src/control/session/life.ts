import type { MqttClient } from 'mqtt';
import { isBehind } from './intake.ts';

/** Without a byte for so many times the keepalive the broker is gone. */
const SILENT = 1.25;

/** The answer to a ping (MQTT 3.1.1 section 3.13); several may come together. */
const PONG = [0xd0, 0] as const;

const isPongs = (data: Buffer): boolean => data.every((byte, at) => byte === PONG[at % 2]);

type Heard = { sign: number; word: number };

const heard = new WeakMap<MqttClient, Heard>();

/**
 * When the broker last had something to say, by `performance.now`; 0 for a connection that was never counted. That it
 * answers pings shows that it lives, and not that it has more to say.
 */
export function lastWord(client: MqttClient): number {
  return isBehind(client) ? performance.now() : (heard.get(client)?.word ?? 0);
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
  const last: Heard = { sign: performance.now(), word: performance.now() };
  heard.set(client, last);
  client.stream.on('data', (data: Buffer) => {
    last.sign = performance.now();
    if (!isPongs(data)) last.word = last.sign;
  });
  client.on('message', () => void (last.sign = last.word = performance.now()));
  pingBySilence(client);
  // called every half keepalive, until an answer comes
  client.onKeepaliveTimeout = () => {
    const silence = isBehind(client) ? 0 : performance.now() - last.sign;
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
