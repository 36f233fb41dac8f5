import type { IPublishPacket, MqttClient } from 'mqtt';

/** Milliseconds of a turn of the event loop, beside the message that is being worked on when they are over. */
const SHARE_MS = 25;

/** A turn is the whole process's: connections that have had their share wait here, each for one of its own. */
const waiting = new Map<MqttClient, () => void>();
let until = 0;

function nextTurn(): void {
  until = performance.now() + SHARE_MS;
  for (const [client, goOn] of waiting) {
    waiting.delete(client);
    goOn();
    break;
  }
  if (waiting.size > 0) setImmediate(nextTurn);
}

/** Whether messages have arrived that wait for their turn: the broker is not silent then, it is not heard. */
export function isBehind(client: MqttClient): boolean {
  return waiting.has(client);
}

/**
 * Has the messages of a connection worked on, no more of them in a turn of the event loop than its share. The client by
 * itself handles all that has arrived in one turn, which at a start is everything there is: with signatures to check,
 * seconds on a small processor, in which no probe is answered and no ping sent.
 *
 * @returns ends it: what has arrived and was not worked on is passed over, so that the confirmations behind it are heard
 */
export function takeMessages(
  client: MqttClient,
  act: (topic: string, payload: Buffer, packet: IPublishPacket) => void,
): () => void {
  let over = false;
  client.on('message', act);
  client.handleMessage = (_packet, done) => {
    if (over || performance.now() < until) return done();
    waiting.set(client, done);
    if (waiting.size === 1) setImmediate(nextTurn);
  };
  return () => {
    over = true;
    client.off('message', act);
  };
}
