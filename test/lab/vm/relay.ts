import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { framed, onLine, READY, unframed } from './protocol.ts';

/**
 * Joins labs, each a connection to the unix socket `path`, to `vm`, the one serial port of the VM.
 * Resolves once the VM takes requests; rejects where that is not so after `timeoutMs`.
 */
export async function relay(vm: Socket, path: string, timeoutMs: number): Promise<Server> {
  const labs = new Map<string, Socket>();
  const ready = new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`the VM takes no requests after ${timeoutMs} ms`)), timeoutMs);
    vm.once('close', () => reject(new Error('the VM has ended')));
    onLine(vm, (line) => {
      if (line === READY) resolve(clearTimeout(limit));
      const { lab, json } = unframed(line);
      labs.get(lab)?.write(`${json}\n`);
    });
  });
  await ready;
  vm.once('close', () => labs.forEach((lab) => lab.destroy()));
  let count = 0;
  const server = createServer((lab) => {
    count += 1;
    join(vm, labs, String(count), lab);
  });
  await once(server.listen(path), 'listening');
  return server;
}

function join(vm: Socket, labs: Map<string, Socket>, name: string, lab: Socket): void {
  labs.set(name, lab);
  onLine(lab, (line) => vm.write(`${name} ${line}\n`));
  lab.on('close', () => {
    labs.delete(name);
    vm.write(framed(name, { op: 'leave' }));
  });
}

export async function connected(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, 'connect');
  return socket;
}
