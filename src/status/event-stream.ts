import type { ServerResponse } from 'node:http';
import type { GatewayEvent } from '../model/status.ts';
import type { EventRing } from './events.ts';
import { json, problem, type Reply, type StreamReply } from './reply.ts';
import type { ApiRequest } from './router.ts';

const CLIENTS_MAX = 32;
// Unsent bytes at which a client counts as too slow: several times a full ring.
const BACKLOG_MAX = 512 * 1024;
// Keeps an idle stream alive through proxies and shows a vanished client.
const KEEPALIVE_MS = 15_000;

/**
 * The handler of `/v1/events`: server-sent events, first the ring (after `Last-Event-ID` where given), then live; or
 * the ring as a JSON array for `?once=1` and `Accept: application/json`.
 */
export function eventStream(events: EventRing): (request: ApiRequest) => Reply | StreamReply {
  const clients = new Set<ServerResponse>();
  return (request) => {
    if (wantsOnce(request)) return json(events.list());
    if (clients.size >= CLIENTS_MAX) {
      return problem(503, `${CLIENTS_MAX} clients already follow the events; close one or read /v1/events?once=1`);
    }
    const replay = since(events.list(), request.headers['last-event-id']);
    return { type: 'text/event-stream', open: (response) => follow(events, clients, replay, response) };
  };
}

function wantsOnce(request: ApiRequest): boolean {
  return request.query.get('once') === '1' || (request.headers.accept ?? '').includes('application/json');
}

function since(list: readonly GatewayEvent[], lastId: string | string[] | undefined): readonly GatewayEvent[] {
  const seen = Number(lastId ?? 0);
  // Ids begin anew when the service restarts: an id that was never given out here asks for everything.
  const known = list.some((event) => event.id === seen);
  return known ? list.filter((event) => event.id > seen) : list;
}

function follow(
  events: EventRing,
  clients: Set<ServerResponse>,
  replay: readonly GatewayEvent[],
  response: ServerResponse,
): void {
  const write = (text: string): void => {
    if (response.writableLength > BACKLOG_MAX) response.destroy();
    else response.write(text);
  };
  clients.add(response);
  write(`retry: 2000\n\n${replay.map(frame).join('')}`);
  const unsubscribe = events.subscribe((event) => write(frame(event)));
  const keepalive = setInterval(() => write(': \n\n'), KEEPALIVE_MS).unref();
  response.once('close', () => {
    clearInterval(keepalive);
    unsubscribe();
    clients.delete(response);
  });
}

// The event's type stays inside the JSON: as an `event:` field it would hide from a browser's onmessage.
function frame(event: GatewayEvent): string {
  return `id: ${event.id}\ndata: ${JSON.stringify(event)}\n\n`;
}
