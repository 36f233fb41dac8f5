import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type ListenOptions } from 'node:net';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { LinkspanError, messageOf } from '../service/errors.ts';
import { exchange, send } from './exchange.ts';
import { isOwnHost } from './host-header.ts';
import { problem } from './reply.ts';
import { createRouter, type Route } from './router.ts';

/** `address` is `IP:PORT` (the port really bound) or the socket's path; `close` ends open streams too. */
export type Listener = { readonly address: string; close(): Promise<void> };

const CONNECTIONS_MAX = 128;
const SOCKET_MODE = 0o660;

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
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw unusable(path, messageOf(error), 'choose a socket path in a writable directory', error);
  }
  await removeStale(path);
  const server = serve(routes, () => true);
  // bind() happens inside this call, so the socket is never open to others, not even before the chmod.
  const before = process.umask(0o777 & ~SOCKET_MODE);
  const ready = listening(server, { path }, path);
  process.umask(before);
  await ready;
  chmodSync(path, SOCKET_MODE);
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

function listening(server: Server, options: ListenOptions, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // For good, not once: a failing accept (EMFILE) is told here later on, and unheard it would end the process.
    server.on('error', (error) => {
      reject(unusable(address, messageOf(error), 'free this address or configure another one', error));
    });
    server.listen(options, resolve);
  });
}

async function removeStale(path: string): Promise<void> {
  const file = lstatSync(path, { throwIfNoEntry: false });
  if (!file) return;
  if (!file.isSocket()) throw unusable(path, 'exists and is not a socket', 'remove that file or choose another path');
  if (await answers(path)) {
    throw unusable(path, 'another process is serving on it', 'stop that process or choose another socket path');
  }
  rmSync(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // Only a refused connection proves that nobody listens; a full backlog (EAGAIN) or a denied one does not.
    probe.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function unusable(object: string, reason: string, remedy: string, cause?: unknown): LinkspanError {
  return new LinkspanError({ code: 'listen_failed', object, reason, remedy, cause });
}
