import { connectAsync, type IClientOptions } from 'mqtt';
import '../control/mqtt-numbers.ts';
import { isVersionRefusal } from '../control/session/broker-error.ts';
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
    const client = await connectAsync({ ...options, ...placeOf(url), protocolVersion });
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

/** Not the URL itself: of that the client makes a warning of Node's, on the terminal of whoever enrols. */
function placeOf(url: string): Pick<IClientOptions, 'protocol' | 'host' | 'port' | 'path'> {
  const { protocol, hostname, port, pathname } = new URL(url);
  const host = hostname.replaceAll(/^\[|\]$/g, '');
  return {
    protocol: protocol.slice(0, -1) as NonNullable<IClientOptions['protocol']>,
    host,
    ...(port !== '' && { port: Number(port) }),
    ...(pathname !== '' && { path: pathname }),
  };
}
