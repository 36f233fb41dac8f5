import { connectAsync, type IClientOptions } from 'mqtt';
import { isVersionRefusal } from '../control/broker-error.ts';
import type { Statement } from '../trust/fleet-directory.ts';

/** MQTT 5 says when the broker's rules refuse; a broker that does not speak it takes 3.1.1 and says nothing. */
export async function send(
  url: string,
  options: IClientOptions,
  statements: readonly Statement[],
  retain: boolean,
  protocolVersion: 4 | 5 = 5,
): Promise<void> {
  try {
    const client = await connectAsync(url, { ...options, protocolVersion }, false);
    try {
      for (const { topic, payload } of statements) await client.publishAsync(topic, payload, { qos: 1, retain });
    } finally {
      await client.endAsync();
    }
  } catch (error) {
    if (protocolVersion === 4 || !isVersionRefusal(error)) throw error;
    await send(url, options, statements, retain, 4);
  }
}
