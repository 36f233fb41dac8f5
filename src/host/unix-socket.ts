import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { connect, type ListenOptions, type Server } from 'node:net';
import { dirname } from 'node:path';
import { LinkspanError, messageOf } from '../service/errors.ts';

const SOCKET_MODE = 0o660;

/**
 * Lets the server listen on a unix socket of mode 0660, making its directory where missing. A socket file left by a dead
 * process is replaced.
 * @throws LinkspanError where a live process answers on it or the path is another kind of file
 */
export async function bindUnix(server: Server, path: string): Promise<void> {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw unusable(path, messageOf(error), 'choose a socket path in a writable directory', error);
  }
  await removeStale(path);
  // bind() happens inside this call, so the socket is never open to others, not even before the chmod.
  const before = process.umask(0o777 & ~SOCKET_MODE);
  const ready = listening(server, { path }, path);
  process.umask(before);
  await ready;
  chmodSync(path, SOCKET_MODE);
}

/** @throws LinkspanError */
export function listening(server: Server, options: ListenOptions, address: string): Promise<void> {
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

export function unusable(object: string, reason: string, remedy: string, cause?: unknown): LinkspanError {
  return new LinkspanError({ code: 'listen_failed', object, reason, remedy, cause });
}
