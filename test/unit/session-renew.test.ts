import { expect, test } from '@jest/globals';
import { connectAsync } from 'mqtt';
import { MqttSession } from '../../src/control/session/session.ts';
import { cleanups, embedded, freePort, until } from './support/sessions.ts';

function sessionAt(port: number, connections: { count: number }): MqttSession {
  const session = new MqttSession({
    url: `mqtt://127.0.0.1:${port}`,
    // whoever waits as long as it would by itself has not been hurried
    backoffMs: [60_000, 60_000],
    clientId: 'a',
    will: () => ({ topic: 'will', payload: Buffer.from('gone') }),
    onMessage: () => undefined,
    onConnect: () => void (connections.count += 1),
    onEvent: () => undefined,
  });
  cleanups.push(() => session.stop());
  session.start();
  return session;
}

test('renewed, a session connects anew at once and leaves no will behind', async () => {
  const port = await freePort();
  const broker = await embedded(port);
  cleanups.push(() => broker.close());
  const wills: string[] = [];
  const other = await connectAsync(`mqtt://127.0.0.1:${port}`);
  cleanups.push(() => other.endAsync());
  other.on('message', (_, payload) => void wills.push(payload.toString()));
  await other.subscribeAsync('will');
  const connections = { count: 0 };
  const session = sessionAt(port, connections);
  await until('the first connection', () => connections.count === 1);
  session.renew();
  await until('the second connection', () => connections.count === 2 && session.connected);
  session.renew();
  await until('the third connection', () => connections.count === 3 && session.connected);
  expect(wills).toEqual([]);
});

test('a session that waits for its next attempt is hurried', async () => {
  const port = await freePort();
  const connections = { count: 0 };
  const session = sessionAt(port, connections);
  // its first attempt fails, and the next is a minute away
  await new Promise((resolve) => setTimeout(resolve, 300));
  const broker = await embedded(port);
  cleanups.push(() => broker.close());
  session.renew();
  await until('a connection', () => connections.count === 1);
});
