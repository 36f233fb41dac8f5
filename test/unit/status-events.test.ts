import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'node:http';
import { eventStream } from '../../src/status/event-stream.ts';
import { EventRing } from '../../src/status/events.ts';
import { listenTcp, type Listener } from '../../src/status/server.ts';

let events: EventRing;
let open: Listener[];

beforeEach(() => {
  events = new EventRing();
  open = [];
});

afterEach(async () => {
  for (const listener of open) await listener.close();
});

async function listen(): Promise<string> {
  const handle = eventStream(events);
  const listener = await listenTcp('127.0.0.1:0', [
    { method: 'GET', path: '/v1/events', summary: 'events', produces: 'text/event-stream', handle },
  ]);
  open.push(listener);
  return listener.address;
}

function stream(
  address: string,
  headers: Record<string, string> = {},
): Promise<{ next(text: string): Promise<string>; stop(): void }> {
  return new Promise((resolve, reject) => {
    const [host, port] = address.split(':');
    const outgoing = request({ host, port, path: '/v1/events', headers, agent: false }, (response) => {
      let seen = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (seen += chunk));
      response.on('error', () => undefined);
      if (response.statusCode !== 200) {
        reject(new Error(String(response.statusCode)));
        return;
      }
      const next = async (text: string): Promise<string> => {
        for (let tries = 0; tries < 200 && !seen.includes(text); tries += 1)
          await new Promise((done) => setTimeout(done, 10));
        return seen;
      };
      resolve({ next, stop: () => outgoing.destroy() });
    });
    outgoing.on('error', reject).end();
  });
}

describe('events', () => {
  test('the ring keeps 200, is replayed and goes on live', async () => {
    for (let count = 1; count <= 205; count += 1) events.add('test', 'info', `event ${count}.`);
    expect(events.list().map((event) => event.id)).toEqual(Array.from({ length: 200 }, (_, index) => index + 6));
    const tcp = await listen();
    const follower = await stream(tcp);
    expect(await follower.next('event 205.')).toContain('id: 6\n');
    events.add('test', 'info', 'live\n\nid: 999');
    expect(await follower.next('id: 206')).toContain('"message":"live\\n\\nid: 999"');
    const resumed = await stream(tcp, { 'last-event-id': '204' });
    expect(await resumed.next('event 205.')).not.toContain('event 204.');
    const once = await fetch(`http://${tcp}/v1/events`, { headers: { accept: 'application/json' } });
    expect(await once.json()).toHaveLength(200);
  });

  test('the 33rd follower is refused until another leaves', async () => {
    const tcp = await listen();
    const followers = await Promise.all(Array.from({ length: 32 }, () => stream(tcp)));
    await expect(stream(tcp)).rejects.toThrow('503');
    followers[0]?.stop();
    await new Promise((done) => setTimeout(done, 100));
    await expect(stream(tcp)).resolves.toBeDefined();
  });

  test('a follower that does not read is dropped', async () => {
    const tcp = await listen();
    const [host, port] = tcp.split(':');
    const closed = new Promise<void>((resolve, reject) => {
      const outgoing = request({ host, port, path: '/v1/events', agent: false }, (response) => {
        response.pause();
        response.on('close', resolve).on('error', () => resolve());
        const flood = setInterval(() => {
          for (let count = 0; count < 100; count += 1) events.add('test', 'info', 'x'.repeat(10_000));
        }, 1);
        setTimeout(() => {
          clearInterval(flood);
          response.resume();
        }, 300);
      });
      outgoing.on('error', reject).end();
    });
    await closed;
  });
});
