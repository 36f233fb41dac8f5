import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../service/errors.ts';
import { problem, type Reply, type StreamReply } from './reply.ts';
import type { ApiRequest, Router } from './router.ts';

/** Longest request body, bytes. */
export const BODY_MAX = 2 * 1024 * 1024;

// A body that is too large is read to its end up to here, so that its sender hears why instead of a reset connection.
const DRAIN_MAX = 64 * 1024 * 1024;

const HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; form-action 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/** Answers one HTTP request from the routes; whatever a handler throws becomes a 500. */
export async function exchange(request: IncomingMessage, response: ServerResponse, route: Router): Promise<void> {
  const reply = await answer(request, route).catch((error: unknown) => problem(500, messageOf(error)));
  if (response.destroyed) return;
  if ('open' in reply) openStream(request, response, reply);
  else send(response, reply);
}

/** Writes a whole answer and ends the response. */
export function send(response: ServerResponse, reply: Reply): void {
  const body = Buffer.from(reply.body);
  response.writeHead(reply.status, {
    ...HEADERS,
    'content-type': withCharset(reply.type),
    'content-length': body.length,
    ...reply.headers,
  });
  response.end(body);
}

async function answer(request: IncomingMessage, route: Router): Promise<Reply | StreamReply> {
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (!url) return problem(400, 'the request target is no valid path; send one such as /v1/status');
  const found = route(request.method ?? 'GET', url.pathname);
  if (!('handle' in found)) return found;
  const body = found.method === 'GET' ? new Uint8Array() : await readBody(request);
  if (!body) return problem(413, `the body is larger than ${BODY_MAX} bytes; send a smaller document`);
  const apiRequest: ApiRequest = { query: url.searchParams, headers: request.headers, body };
  return found.handle(apiRequest);
}

async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > DRAIN_MAX) break;
    if (size <= BODY_MAX) chunks.push(chunk);
  }
  return size <= BODY_MAX ? Buffer.concat(chunks) : undefined;
}

function openStream(request: IncomingMessage, response: ServerResponse, reply: StreamReply): void {
  response.writeHead(200, { ...HEADERS, 'content-type': withCharset(reply.type) });
  if (request.method === 'HEAD') response.end();
  else reply.open(response);
}

function withCharset(type: string): string {
  return type.startsWith('text/') && !type.includes('charset') ? `${type}; charset=utf-8` : type;
}
