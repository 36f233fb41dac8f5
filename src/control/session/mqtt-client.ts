import type { Duplex } from 'node:stream';
import { connect, type IClientOptions, MqttClient } from 'mqtt';
import '../mqtt-numbers.ts';

/** A client that begins to connect: over the stream that `open` makes, where it is given, or else to the URL. */
export function openClient(url: string, options: IClientOptions, open?: () => Duplex): MqttClient {
  return open ? new MqttClient(open, options) : connect(url, options);
}
