import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { bindUnix, listening, unusable } from '../host/unix-socket.ts';
import { exchange, send } from './exchange.ts';
import { isOwnHost } from './host-header.ts';
import { problem } from './reply.ts';
import { createRouter, type Route } from './router.ts';

/** `address` is `IP:PORT` (the port really bound) or the socket's path; `close` ends open streams too. */
export type Listener = { readonly address: string; close(): Promise<void> };

const CONNECTIONS_MAX = 128;

/**
 * Serves the routes on `ADDRESS:PORT` (IPv6 in brackets; port 0 takes a free one), for callers whose Host header is
 * ours. Throws a LinkspanError where the address is malformed, taken or not this machine's.
 */
export async function listenTcp(address: string, routes: readonly Route[]): Promise<Listener> {
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  const port = Number(parts?.[3]);
  if (!parts || port > 65_535) throw unusable(address, 'is not ADDRESS:PORT', 'write for example 127.0.0.1:8479');
  const server = serve(routes, (host) => isOwnHost(host, hostname()));
  await listening(server, { host: parts[1] ?? parts[2] ?? '', port }, address);
  const bound = server.address() as AddressInfo;
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return { address: `${host}:${bound.port}`, close: () => closed(server) };
}

/**
 * Serves the routes on a unix socket of mode 0660, making its directory where missing. A socket file left by a dead
 * process is replaced; throws a LinkspanError where a live process answers on it or the path is another kind of file.
 */
export async function listenUnix(path: string, routes: readonly Route[]): Promise<Listener> {
  const server = serve(routes, () => true);
  await bindUnix(server, path);
  return { address: path, close: () => closed(server) };
}

function serve(routes: readonly Route[], trusts: (host: string | undefined) => boolean): Server {
  const route = createRouter(routes);
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000 }, (request, response) => {
    // A client that goes away in mid-answer is its own affair.
    response.on('error', () => response.destroy());
    if (trusts(request.headers.host)) void exchange(request, response, route);
    else
      send(
        response,
        problem(421, 'the Host header is not this gateway; use its IP address, localhost or its host name'),
      );
  });
  server.maxConnections = CONNECTIONS_MAX;
  return server;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
