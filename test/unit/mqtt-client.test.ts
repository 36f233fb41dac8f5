import { expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { duplexPair } from 'node:stream';
import { openClient } from '../../src/control/session/mqtt-client.ts';

test('a client says its first word without a table of all 65536 numbers', async () => {
  const [ours, its] = duplexPair();
  const client = openClient('mqtt://127.0.0.1', { clientId: 'gw-a', reconnectPeriod: 0 }, () => ours);
  client.on('error', () => undefined);
  const [word] = (await once(its, 'data')) as [Buffer];
  expect(word.readUInt8(0)).toBe(0x10);
  const { cache } = createRequire(import.meta.url)('mqtt-packet/numbers.js') as { cache: object };
  expect(Object.keys(cache)).toEqual([]);
  client.end(true);
});
