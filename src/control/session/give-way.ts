import type { MqttClient } from 'mqtt';

/** Milliseconds of one turn of the event loop. */
const SHARE_MS = 25;

/**
 * Takes no more of a turn of the event loop than its share for what the broker gives out. The client by itself handles all
 * that has arrived in one turn, which at a start is everything there is: with signatures to check, seconds on a small
 * processor, in which no probe is answered and no ping sent, so that the peers and the broker take this gateway for dead.
 */
export function giveWay(client: MqttClient): void {
  let until = 0;
  client.handleMessage = (_packet, done) => {
    if (performance.now() < until) return done();
    setImmediate(() => {
      until = performance.now() + SHARE_MS;
      done();
    });
  };
}
